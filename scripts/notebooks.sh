#!/usr/bin/env bash
# Runs Rust notebooks from top to bottom, in place: those that are given, or all. Needs Rust and Python 3; installs the kernel
# (ten minutes, once), Jupyter and nbconvert under target/ where they are missing. Those in Python are run by
# scripts/python_notebooks.py.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/jupyter
export PATH=$tools/bin:$PATH
export JUPYTER_PATH=$tools/share/jupyter

if ! command -v evcxr_jupyter >/dev/null; then
    cargo install --locked evcxr_jupyter --version 0.22.0 --root "$tools"
fi
if [ ! -x "$tools/bin/jupyter-nbconvert" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet nbconvert==7.17.2 ipykernel==7.4.0
fi
evcxr_jupyter --install >/dev/null

# What the kernel has compiled is kept from one run to the next.
export EVCXR_TMPDIR=$tools/evcxr
mkdir -p "$EVCXR_TMPDIR"

# Seconds per cell. The first one that runs compiles the library and all that it needs, which takes minutes once.
CELL_TIMEOUT=${CELL_TIMEOUT:-900}

if [ $# = 0 ]; then
    mapfile -t rust < <(grep -l '"language": "rust"' notebooks/*.ipynb)
    set -- "${rust[@]}"
fi
for notebook in "$@"; do
    SECONDS=0
    "$tools/bin/jupyter-nbconvert" --log-level WARN --to notebook --execute --inplace \
        --ExecutePreprocessor.timeout="$CELL_TIMEOUT" --ExecutePreprocessor.record_timing=False "$notebook"
    echo "$notebook: $SECONDS s"
done
