#!/usr/bin/env bash
# Fuzzes each reader of files, or one, for SECONDS (600 by default), from the seeds in fuzz/seeds:
#
#   scripts/fuzz.sh [SECONDS [TARGET]]
#
# Needs cargo-fuzz (cargo install --locked cargo-fuzz), but no nightly compiler. The first input that fails ends it, and is kept under
# fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
# Lets a stable compiler take the flags of coverage and of the address sanitizer.
export RUSTC_BOOTSTRAP=1

# Files to be read lie in memory, where there is a folder for that.
shared=$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")
TMPDIR=$(mktemp -d -p "$shared")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# Journals begin with the version of the program, and are refused by any other.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

for target in ${2:-idx npy npz cifar toml journal records checkpoint masks state_dict}; do
    printf '\n-- %s, %s s\n' "$target" "$seconds"
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    for seed in "fuzz/seeds/$target"/*; do
        LC_ALL=C sed "s/\"version\":\"[^\"]*\"/\"version\":\"$version\"/g" "$seed" >"$corpus/$(basename "$seed")"
    done
    cargo fuzz run "$target" "$corpus" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1
done
