#!/usr/bin/env bash
# Builds the Python package, installs it into an empty environment, and tests it there. Needs Rust and Python 3.10 or later with venv.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
export SPARSEWIDTH="$target/release/sparsewidth"
rm -rf "$target/wheels" "$target/python-package"
python3 -m venv "$target/python-package"
bin="$target/python-package/bin"

"$bin/pip" install --quiet maturin==1.16.0
"$bin/maturin" build --release --locked --quiet --manifest-path python/Cargo.toml --interpreter "$bin/python" --out "$target/wheels"
bytes=$(cat "$target"/wheels/*.whl | wc -c)
echo "The wheel has $bytes bytes."
[ "$bytes" -le 20000000 ]
"$bin/pip" install --quiet "$target"/wheels/*.whl pytest==9.2.0 matplotlib==3.11.2 ruff==0.17.6

"$bin/ruff" format --check python
"$bin/ruff" check python
"$bin/python" -m pytest -q -p no:cacheprovider python/tests/test_core.py python/tests/test_studies.py python/tests/test_plot.py
modules=(sparsewidth.kernels sparsewidth.budgets sparsewidth.data sparsewidth.studies sparsewidth.ridge sparsewidth.plot)
(cd "$target" && "$bin/python" -m pytest -q -p no:cacheprovider --doctest-modules --pyargs "${modules[@]}")

# scipy is for the example's intervals.
if timeout 400 "$bin/pip" install --quiet torch==2.15.0 safetensors==0.8.0 scipy==1.17.1 mypy==2.4.1; then
    "$bin/python" -m pytest -q -p no:cacheprovider python/tests/test_torch.py
    (cd python && "$bin/mypy" --strict src/sparsewidth tests examples)
    "$bin/pip" install --quiet nbclient==0.11.0 ipykernel==7.4.0
    "$bin/python" scripts/python_notebooks.py
else
    echo "SKIPPED: PyTorch cannot be installed here, so sparsewidth.torch was not tested"
fi
