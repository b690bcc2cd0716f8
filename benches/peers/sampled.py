"""The mean squared distance of a sampled kernel over all pairs, as one would write it in PyTorch, for comparison.

CSR weights, one preallocated N x N product, a fused norm. `python benches/peers/sampled.py [IMAGES]`, where IMAGES is the
(gzipped) IDX file of the MNIST test images, by default the embedded one. Prints seconds: of the closed form, and of an
initialisation at each width.
"""

import gzip
import math
import sys
import time

import numpy as np
import torch

path = sys.argv[1] if len(sys.argv) > 1 else "data/mnist/t10k-images-idx3-ubyte.gz"
images = np.frombuffer(gzip.open(path).read()[16:], dtype=np.uint8).reshape(-1, 784).astype(np.float64)
deviation = images.std(0)
pixels = np.where(deviation > 0, (images - images.mean(0)) / np.where(deviation > 0, deviation, 1), 0)
x = torch.tensor(pixels, dtype=torch.float32)
samples, dimension = x.shape
print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {samples} inputs")


def closed_form(x):
    """K_1 / d of every pair."""
    norms = x.norm(dim=1)
    outer = norms[:, None] * norms[None, :]
    cosine = (x @ x.T).div_(outer).clamp_(-1, 1)
    angle = torch.acos(cosine)
    return (torch.sin(angle) + (math.pi - angle) * cosine).mul_(outer).div_(2 * math.pi * dimension)


def weights(width, connectivity, generator):
    """A first layer as compressed sparse rows."""
    mask = torch.rand(width, dimension, generator=generator) < connectivity
    values = torch.randn(width, dimension, generator=generator) / math.sqrt(connectivity)
    return (mask * values).to_sparse_csr()


start = time.perf_counter()
limit = closed_form(x)
print(f"closed form: {time.perf_counter() - start:.3f} s")

generator = torch.Generator().manual_seed(0)
kernel = torch.empty(samples, samples)
transposed = x.T.contiguous()
for width in (8, 80, 512):
    best, value = math.inf, 0.0
    for _ in range(4):
        start = time.perf_counter()
        hidden = torch.sparse.mm(weights(width, min(1, 8 / width), generator), transposed).relu_()
        torch.mm(hidden.T, hidden, out=kernel)
        kernel.mul_(1 / (width * dimension)).sub_(limit)
        value = kernel.norm().item() ** 2 / samples**2
        best = min(best, time.perf_counter() - start)
    print(f"width {width}: {best:.3f} s an initialisation, distance {value:.3e}")
