"""Tangent kernels of drawn networks against those of PyTorch, which knows the network only as a function of its variables.

`python scripts/check_tangent.py PROGRAM`, with NumPy and PyTorch; PROGRAM is the example: `cargo build --release --example
tangent_kernels` makes target/release/examples/tangent_kernels. Kernels of one to three hidden layers, of both conventions, agree to
1e-5 of sqrt(k(x, x) k(y, y)): ours has features in single precision. Then both are timed over all pairs of 2,048 images.
"""

import importlib.util
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

if importlib.util.find_spec("torch") is None:
    print("SKIPPED: PyTorch is not installed here, so no tangent kernel was compared with it")
    sys.exit()

import torch
from torch.func import jacrev, vmap

MOST = 1e-5
CASES = [
    "relu:50@0.05",
    "relu:50",
    "relu:300@0.0005/exact_count",
    "relu:40@0.1/constant_fan_in",
    "relu:40@0.05 relu:30@0.3",
    "linear:20@0.1/exact_count relu:30@0.2",
    "relu:30@0.05 linear:20 relu:25@0.2/constant_fan_in",
    "relu:30 relu:30@0.5/exact_count relu:30@0.1",
]
IMAGES, AT_ONCE = 2048, 128


def drawn(network, images, folder):
    """What the example writes and prints."""
    said = subprocess.run([sys.argv[1], folder, network, str(images)], check=True, capture_output=True, text=True).stdout
    return {file.stem: np.load(file) for file in pathlib.Path(folder).glob("*.npy")}, said.split()


class Network:
    """A network as a function of the variables that gradient descent moves."""

    def __init__(self, files, text, standardised, dtype):
        self.activations = [layer.split(":")[0] for layer in text.split()]
        layers = range(len(self.activations) + 1)
        self.masks = [torch.tensor(files[f"mask_{layer}"]) for layer in layers]
        self.scales = [float(sigma) if standardised else 1.0 for sigma in files["sigma"]]
        weights = [torch.tensor(files[f"weights_{layer}"], dtype=dtype) for layer in layers]
        self.variables = [weight / scale for weight, scale in zip(weights, self.scales)]

    def __call__(self, variables, x):
        for layer, variable in enumerate(variables):
            weights = self.masks[layer] * variable * self.scales[layer]
            x = weights @ x / math.sqrt(weights.shape[1])
            if layer < len(self.activations) and self.activations[layer] == "relu":
                x = torch.relu(x)
        return x[0]

    def jacobian(self, inputs):
        """Shape (inputs, weights that exist)."""
        parts = vmap(jacrev(self), (None, 0))(self.variables, inputs)
        return torch.cat([part[:, mask] for part, mask in zip(parts, self.masks)], dim=1)


for text in CASES:
    with tempfile.TemporaryDirectory() as folder:
        files, _ = drawn(text, 24, folder)
    inputs = torch.tensor(files["inputs"], dtype=torch.float64)
    for name in ["standardised", "paper"]:
        jacobian = Network(files, text, name == "standardised", torch.float64).jacobian(inputs)
        kernels = (jacobian @ jacobian.T).numpy()
        own = np.sqrt(np.diag(kernels))
        # An input without any active weight has a kernel of zero.
        relative = (np.abs(files[name] - kernels) / np.maximum(np.outer(own, own), 1e-30)).max()
        print(f"{text}, {name}: {relative:.1e}, {jacobian.shape[1]} weights")
        assert relative < MOST, (text, name, relative)


def infinite_width(inputs):
    """K_1 + C K_0 over d, of all pairs."""
    norms = np.linalg.norm(inputs, axis=1)
    scale = np.outer(norms, norms)
    cosine = np.clip(inputs @ inputs.T / scale, -1, 1)
    np.fill_diagonal(cosine, 1.0)
    phi = np.pi - np.arccos(cosine)
    return scale * (np.sqrt(1 - cosine**2) + 2 * phi * cosine) / (2 * np.pi) / inputs.shape[1]


# Over all pairs: seconds, the least of three, and the mean squared distances from infinite width.
text = "relu:216@0.037037037037037035"
found = []
for _ in range(3):
    with tempfile.TemporaryDirectory() as folder:
        files, said = drawn(text, IMAGES, folder)
    found.append(tuple(map(float, said)))
ours, off_diagonal, diagonal = min(found)
network = Network(files, text, True, torch.float32)
inputs = torch.tensor(files["inputs"], dtype=torch.float32)
limit = torch.tensor(infinite_width(files["inputs"]))
theirs = math.inf
for _ in range(3):
    start = time.perf_counter()
    jacobian = torch.cat([network.jacobian(some) for some in inputs.split(AT_ONCE)])
    kernels = jacobian @ jacobian.T
    theirs = min(theirs, time.perf_counter() - start)
squares = (kernels.double() - limit).square()
expected = [(squares.sum() - squares.diagonal().sum()) / (IMAGES * (IMAGES - 1)), squares.diagonal().mean()]
for name, here, there in zip(["off the diagonal", "on it"], [off_diagonal, diagonal], expected):
    print(f"mean squared distance {name}: {here:.6e}, PyTorch's {there:.6e}")
    # Of both in single precision.
    assert abs(here / there - 1) < 1e-4
print(f"{IMAGES} images, {jacobian.shape[1]} weights, {torch.get_num_threads()} threads: {ours:.2f} s, PyTorch {theirs:.2f} s")
