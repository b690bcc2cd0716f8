#!/usr/bin/env bash
# The CUDA kernels without a GPU: compiled by NVRTC for three kinds of device, with what ptxas says of registers (a spill
# fails); and run on the host, by themselves and behind a driver whose devices are the host. Needs g++ and Python 3; NVRTC and
# ptxas come from PyPI. Everything is kept under target/cuda. Nothing here says how fast a GPU is.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$PWD/target/cuda
mkdir -p "$target/ptx"
[ -x "$target/tools/bin/pip" ] || python3 -m venv "$target/tools"
"$target/tools/bin/pip" install --quiet nvidia-cuda-nvrtc-cu12==12.4.127 nvidia-cuda-nvcc-cu12==12.4.131
nvidia=$(echo "$target"/tools/lib/python3*/site-packages/nvidia)
export SPARSEWIDTH_NVRTC=$nvidia/cuda_nvrtc/lib SPARSEWIDTH_DRIVER=$target

# Threads run the other way round than in the tests that follow: none may read what another writes before a barrier.
g++ -DLAST_THREAD_FIRST -std=c++17 -O3 -fno-strict-aliasing -Wall -Wextra -fPIC -shared -o "$target/libcuda.so" tests/driver/driver.cpp

echo "-- the kernels on the host, and through NVRTC"
LD_LIBRARY_PATH=$SPARSEWIDTH_NVRTC SPARSEWIDTH_PTX=$target/ptx \
    cargo test --release --locked --features host-kernels --lib sampled::accelerator

echo "-- registers and spills, by device and kernel"
for ptx in "$target"/ptx/sm_*.ptx; do
    kind=$(basename "$ptx" .ptx)
    "$nvidia/cuda_nvcc/bin/ptxas" -v -arch="$kind" -o "$target/ptx/$kind.cubin" "$ptx" 2>"$target/ptx/$kind.txt"
    awk -v kind="$kind" '
        /Compiling entry/ { kernel = $(NF - 2) }
        /spill/ { bad = bad || $1 + $5 + $9 > 0; spills = $1 " bytes of stack, " $5 " and " $9 " spilt" }
        /Used/ { print kind, kernel, $5, "registers,", spills }
        END { exit bad }' "$target/ptx/$kind.txt"
done

echo "-- the tests for a GPU, on the driver whose devices are the host"
export XDG_CACHE_HOME=$target/cache
LD_LIBRARY_PATH=$SPARSEWIDTH_DRIVER:$SPARSEWIDTH_NVRTC \
    cargo test --release --locked --features host-kernels --lib on_a_gpu::kernels -- --ignored
cargo test --release --locked --test device
