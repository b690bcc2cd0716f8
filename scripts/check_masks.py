"""Masks as NumPy reads them: names, shapes, types and counts are those of the records. Where PyTorch is installed, the example that
applies them is run on each.

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
    ("resnet18:8,100", 60000, "largest-first", "entries"),
    ("resnet18:8,100", 60000, "erk", "channels"),
    ("resnet18-imagenet:8,50", 20000, "proportional", "entries"),
]
for network, weights, rule, positions in CASES:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.argv[1], "budget", "--arch", network, "--weights", str(weights), "--rule", rule, "--out", folder]
        command += ["--masks", "--positions", positions, "--json", "--quiet"]
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
        kept = sum(layer["kept"] for layer in layers)
        assert kept == weights if positions == "entries" else weights - 9 * len(layers) < kept <= weights
        print(f"{network}, {rule}, {positions}: {kept} of {weights} weights in {len(layers)} masks")
        if TORCH:
            said = subprocess.run([sys.executable, EXAMPLE, f"{folder}/masks.npz"], check=True, capture_output=True, text=True).stdout
            expected = [f"{layer['layer']}: {layer['kept']} of {layer['weights']} weights" for layer in layers]
            assert said.splitlines() == expected, said
            print("  and PyTorch trains under them")
