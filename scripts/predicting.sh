#!/usr/bin/env bash
# The study of docs/predicting.md: which quantity at initialisation names the best width? On MNIST and Fashion-MNIST, in
# two normalisations and at four budgets: learning rates are tuned, networks trained, errors predicted and distances
# taken, and what each predictor's choice of width costs is written to OUT/comparison.
#
# Run again after an interruption, it goes on. With --shard I/N it does every N-th setting; run it without --shard when
# all are there. With --rates DIR it takes the learning rates of an earlier run, for another seed.
set -euo pipefail

usage="usage: scripts/predicting.sh OUT MNIST FASHION_MNIST [--shard I/N] [--seed N] [--rates DIR]
MNIST, FASHION_MNIST: folders of the four files of each data set (Debian: package dataset-fashion-mnist)
OUT: the folder to write to; PROGRAM in the environment: sparsewidth, if it is not target/release/sparsewidth"
if [ $# -lt 3 ]; then
    echo "$usage" >&2
    exit 2
fi
out=$1 mnist=$2 fashion=$3
shift 3
number=1 count=1 seed=0 rates=$out
while [ $# -gt 0 ]; do
    case "$1 ${2-}" in
    "--shard "*/*) number=${2%/*} count=${2#*/} ;;
    "--seed "?*) seed=$2 ;;
    "--rates "?*) rates=$2 ;;
    *)
        echo "$usage" >&2
        exit 2
        ;;
    esac
    shift 2
done
program=${PROGRAM:-$(dirname "$0")/../target/release/sparsewidth}

place=0 folders=()
for base in 8 4 16 32; do
    for data in "$mnist" "$fashion"; do
        for normalisation in pixel global; do
            # A dense network of this width has as many weights.
            weights=$(((784 + 10) * base))
            widths=$(printf '%s,' "$base" $((2 * base)) $((4 * base)) $((8 * base)) $((16 * base)) $((27 * base)) $((41 * base)))$((64 * base))
            name=$(basename "$data")-$normalisation-$weights
            folders+=("$out/$name")
            place=$((place + 1))
            [ $((place % count)) -eq $((number % count)) ] || continue
            setting=(--data "$data" --normalisation "$normalisation" --weights "$weights" --widths "$widths")
            if [ ! -e "$rates/$name/tune/rates.toml" ]; then
                "$program" tune "${setting[@]}" --lowest 1 --highest 8192 --runs 2 --out "$rates/$name/tune"
            fi
            "$program" predict "${setting[@]}" --seed "$seed" --train --rates "$rates/$name/tune/rates.toml" --out "$out/$name"
        done
    done
done
if [ "$count" -eq 1 ]; then
    "$program" predict --compare "${folders[@]}" --out "$out/comparison"
fi
