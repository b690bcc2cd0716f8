"""The mean squared distance of a sampled kernel over all pairs, as one would write it in PyTorch.

CSR weights, one preallocated N x N product, a fused norm. `python benches/peers/sampled.py [--device cuda] [IMAGES]`,
where IMAGES is the (gzipped) IDX file of the MNIST test images, by default the embedded one. Prints seconds: of the
closed form, and of an initialisation at each width. `compare.sh` runs the same beside our own program.
"""

import argparse
import math
import time

import torch

from mnist import test_images


class Sampler:
    """Inputs and the closed form of their kernel, of which `distance` takes that of a drawn network."""

    def __init__(self, inputs, device="cpu"):
        self.device = torch.device(device)
        self.x = torch.tensor(inputs, dtype=torch.float32, device=self.device)
        self.samples, self.dimension = self.x.shape
        self.generator = torch.Generator(self.device).manual_seed(0)
        self.kernel = torch.empty(self.samples, self.samples, device=self.device)
        self.transposed = self.x.T.contiguous()
        self.limit = None

    def closed_form(self):
        """K_1 / d of every pair."""
        norms = self.x.norm(dim=1)
        outer = norms[:, None] * norms[None, :]
        cosine = (self.x @ self.x.T).div_(outer).clamp_(-1, 1)
        angle = torch.acos(cosine)
        self.limit = (torch.sin(angle) + (math.pi - angle) * cosine).mul_(outer).div_(2 * math.pi * self.dimension)

    def weights(self, width, connectivity):
        """A first layer as compressed sparse rows."""
        shape = width, self.dimension
        mask = torch.rand(shape, generator=self.generator, device=self.device) < connectivity
        values = torch.randn(shape, generator=self.generator, device=self.device) / math.sqrt(connectivity)
        return (mask * values).to_sparse_csr()

    def distance(self, width, connectivity):
        """The mean over all pairs for one network, those of an input with itself included."""
        hidden = torch.sparse.mm(self.weights(width, connectivity), self.transposed).relu_()
        torch.mm(hidden.T, hidden, out=self.kernel)
        self.kernel.mul_(1 / (width * self.dimension)).sub_(self.limit)
        return self.kernel.norm().item() ** 2 / self.samples**2

    def now(self):
        """Seconds, when the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def main():
    """Time the closed form and an initialisation at each width."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="?")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    sampler = Sampler(test_images(arguments.images) if arguments.images else test_images(), arguments.device)
    cuda = sampler.device.type == "cuda"
    where = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} threads"
    print(f"torch {torch.__version__}, {where}, {sampler.samples} inputs")
    start = sampler.now()
    sampler.closed_form()
    print(f"closed form: {sampler.now() - start:.3f} s")
    for width in (8, 80, 512):
        best, value = math.inf, 0.0
        for _ in range(4):
            start = sampler.now()
            value = sampler.distance(width, min(1, 8 / width))
            best = min(best, sampler.now() - start)
        print(f"width {width}: {best:.4f} s an initialisation, distance {value:.3e}")


if __name__ == "__main__":
    main()
