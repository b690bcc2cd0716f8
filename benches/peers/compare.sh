#!/usr/bin/env bash
# Ours and the peers' programs in turns on this machine, as one table of ratios:
#
#     benches/peers/compare.sh --write docs/performance.md
#
# Once all is installed it takes some ten minutes on two cores. The options are those of compare.py: `--quick` shows
# that all works, `--only WORD` takes some rows, `--from FILE` draws the table again.
#
# Needs Rust and Python 3.11 to 3.13 with venv (PYTHON names another than python3). The peers are installed into
# target/peers, one at a time: where one cannot be had, its rows say SKIPPED. pip's own variables hold, such as
# PIP_EXTRA_INDEX_URL for a PyTorch without CUDA, which is smaller. WHEEL names a wheel of sparsewidth to take.
set -euo pipefail
cd "$(dirname "$0")/../.."

peers="${CARGO_TARGET_DIR:-$PWD/target}/peers"
python=${PYTHON:-python3}
for environment in venv jax; do
    [ -x "$peers/$environment/bin/python" ] || "$python" -m venv "$peers/$environment"
done
main="$peers/venv/bin/pip"

prebuilt=--prebuilt
if [ -z "${WHEEL:-}" ]; then
    prebuilt=
    rm -rf "$peers/wheels"
    "$main" install --quiet maturin==1.16.0
    "$peers/venv/bin/maturin" build --release --locked --quiet --manifest-path python/Cargo.toml \
        --interpreter "$peers/venv/bin/python" --out "$peers/wheels"
    WHEEL=$(echo "$peers"/wheels/*.whl)
fi
"$main" install --quiet numpy==2.3.5
"$main" install --quiet --no-deps --force-reinstall "$WHEEL"

peer() {
    local name=$1 environment=$2
    shift 2
    if ! timeout 1200 "$peers/$environment/bin/pip" install --quiet "$@"; then
        echo "SKIPPED: $name cannot be installed here, so its rows are missing" >&2
    fi
}
peer PyTorch venv torch==2.15.0 numpy==2.3.5
peer numba venv numba==0.68.1 numpy==2.3.5
peer scikit-learn venv scikit-learn==1.9.1 scipy==1.17.1 numpy==2.3.5
# The last release of neural-tangents does not start with JAX 0.6 or later.
peer neural-tangents jax neural-tangents==0.6.5 jax==0.5.3 jaxlib==0.5.3 numpy==2.4.6 scipy==1.17.1

# No folders of compiled files beside the sources.
export PYTHONDONTWRITEBYTECODE=1
exec "$peers/venv/bin/python" benches/peers/compare.py --venv "$peers/venv" --jax "$peers/jax" ${prebuilt:+"$prebuilt"} "$@"
