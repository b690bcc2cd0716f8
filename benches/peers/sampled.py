"""The mean squared distance of a sampled kernel over all pairs, as one would write it in PyTorch, for comparison.

CSR weights, one preallocated N x N product, a fused norm. `python benches/peers/sampled.py [--device cuda] [IMAGES]`, where
IMAGES is the (gzipped) IDX file of the MNIST test images, by default the embedded one. Prints seconds: of the closed form, and of
an initialisation at each width.
"""

import argparse
import gzip
import math
import time

import numpy as np
import torch

parser = argparse.ArgumentParser()
parser.add_argument("images", nargs="?", default="data/mnist/t10k-images-idx3-ubyte.gz")
parser.add_argument("--device", default="cpu")
arguments = parser.parse_args()
device = torch.device(arguments.device)
images = np.frombuffer(gzip.open(arguments.images).read()[16:], dtype=np.uint8).reshape(-1, 784).astype(np.float64)
deviation = images.std(0)
pixels = np.where(deviation > 0, (images - images.mean(0)) / np.where(deviation > 0, deviation, 1), 0)
x = torch.tensor(pixels, dtype=torch.float32, device=device)
samples, dimension = x.shape
where = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} threads"
print(f"torch {torch.__version__}, {where}, {samples} inputs")


def now():
    """Seconds, when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def closed_form(x):
    """K_1 / d of every pair."""
    norms = x.norm(dim=1)
    outer = norms[:, None] * norms[None, :]
    cosine = (x @ x.T).div_(outer).clamp_(-1, 1)
    angle = torch.acos(cosine)
    return (torch.sin(angle) + (math.pi - angle) * cosine).mul_(outer).div_(2 * math.pi * dimension)


def weights(width, connectivity, generator):
    """A first layer as compressed sparse rows."""
    mask = torch.rand(width, dimension, generator=generator, device=device) < connectivity
    values = torch.randn(width, dimension, generator=generator, device=device) / math.sqrt(connectivity)
    return (mask * values).to_sparse_csr()


start = now()
limit = closed_form(x)
print(f"closed form: {now() - start:.3f} s")

generator = torch.Generator(device).manual_seed(0)
kernel = torch.empty(samples, samples, device=device)
transposed = x.T.contiguous()
for width in (8, 80, 512):
    best, value = math.inf, 0.0
    for _ in range(4):
        start = now()
        hidden = torch.sparse.mm(weights(width, min(1, 8 / width), generator), transposed).relu_()
        torch.mm(hidden.T, hidden, out=kernel)
        kernel.mul_(1 / (width * dimension)).sub_(limit)
        value = kernel.norm().item() ** 2 / samples**2
        best = min(best, now() - start)
    print(f"width {width}: {best:.4f} s an initialisation, distance {value:.3e}")
