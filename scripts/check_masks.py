"""Masks as NumPy reads them: names, shapes, types and counts are those of the records. Where PyTorch is installed, the example that
applies them is run on each. Kernel matrices as NumPy maps them: those of its own formula.

`python scripts/check_masks.py PROGRAM`, with NumPy.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent / "examples" / "apply_masks.py"
TORCH = importlib.util.find_spec("torch") is not None
if not TORCH:
    print("SKIPPED: PyTorch is not installed here, so examples/apply_masks.py was not run")

CASES = [
    ("mlp:784-216-10", 6352, "last-dense", "entries"),
    ("mlp:784-216-10", 6352, "erk:0.5", "even"),
    ("resnet18:8,100", 60000, "largest-first", "entries"),
    ("resnet18:8,100", 60000, "erk", "channels"),
    ("resnet18-imagenet:8,50", 20000, "proportional", "entries"),
]
for network, weights, rule, positions in CASES:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.argv[1], "budget", "--arch", network, "--weights", str(weights), "--rule", rule, "--out", folder]
        command += ["--masks", "--json", "--quiet"]
        command += ["--fan-in", positions] if positions == "even" else ["--positions", positions]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        masks = np.load(f"{folder}/masks.npz")
        layers = [json.loads(line) for line in lines]
        assert list(masks) == [layer["layer"] for layer in layers]
        for layer in layers:
            mask = masks[layer["layer"]]
            assert mask.dtype == np.bool_ and list(mask.shape) == layer["shape"], layer
            assert mask.sum() == layer["kept"], layer
            if positions == "channels":
                kernels = mask.reshape(mask.shape[0] * mask.shape[1], -1)
                assert (kernels.all(1) == kernels.any(1)).all(), layer
            if positions == "even":
                fan_ins = mask.reshape(mask.shape[0], -1).sum(1)
                assert fan_ins.max() - fan_ins.min() == (layer["kept"] % mask.shape[0] > 0), layer
        kept = sum(layer["kept"] for layer in layers)
        assert weights - 9 * len(layers) < kept <= weights if positions == "channels" else kept == weights
        print(f"{network}, {rule}, {positions}: {kept} of {weights} weights in {len(layers)} masks")
        if TORCH:
            said = subprocess.run([sys.executable, EXAMPLE, f"{folder}/masks.npz"], check=True, capture_output=True, text=True).stdout
            expected = [f"{layer['layer']}: {layer['kept']} of {layer['weights']} weights" for layer in layers]
            assert said.splitlines() == expected, said
            print("  and PyTorch trains under them")

with tempfile.TemporaryDirectory() as folder:
    x = np.random.default_rng(0).standard_normal((250, 30))
    np.save(f"{folder}/x.npy", x)
    norms = np.linalg.norm(x, axis=1)
    cosine = np.clip(x @ x.T / np.outer(norms, norms), -1, 1)
    angle = np.arccos(cosine)
    nngp = np.outer(norms, norms) / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * cosine) / 30
    ntk = nngp + x @ x.T * (np.pi - angle) / (2 * np.pi) / 30
    for kernel, expected in (("nngp", nngp), ("ntk", ntk)):
        for dtype in ("float32", "float64"):
            out = f"{folder}/{kernel}-{dtype}.npy"
            command = [sys.argv[1], "kernel", "--matrix", out, "--x", f"{folder}/x.npy", "--kernel", kernel, "--dtype", dtype, "--quiet"]
            subprocess.run(command, check=True, capture_output=True)
            found = np.load(out, mmap_mode="r")
            assert found.dtype == dtype and found.shape == (250, 250) and found.flags.c_contiguous and not found.flags.writeable
            # NumPy's arc cosine loses half of the digits on the diagonal.
            error = np.max(np.abs(found - expected) / np.outer(norms, norms))
            assert error < (1e-6 if dtype == "float32" else 1e-8), error
    print("kernel matrices are those of NumPy")
