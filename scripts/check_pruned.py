"""Compares `sparsewidth masks` with PyTorch and NumPy on masks that torch.nn.utils.prune makes.

Counts and densities are those that torch reports. Distances are those of an independent NumPy program, the formulas of
src/kernel/given/mod.rs with angles from arccos, and, within standard errors, those of networks with drawn weights.

Usage: check_pruned.py PROGRAM [FOLDER]. Needs numpy, torch and safetensors. With a FOLDER, it also writes the files that
tests/pruned.rs reads: small networks, and what NumPy makes of them.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn.utils import prune

PAIRS, DRAWS = 40, 20_000


def network(inputs, width, seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(inputs, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))


def pruned(inputs, width):
    """Networks by how they were pruned."""
    random, magnitude, structured, columns = (network(inputs, width, seed) for seed in range(4))
    for layer in (random[0], random[2]):
        prune.random_unstructured(layer, "weight", amount=0.8)
    parameters = [(magnitude[0], "weight"), (magnitude[2], "weight")]
    prune.global_unstructured(parameters, pruning_method=prune.L1Unstructured, amount=0.9)
    prune.ln_structured(structured[0], "weight", amount=0.5, n=2, dim=0)
    prune.random_structured(columns[0], "weight", amount=0.6, dim=1)
    prune.random_unstructured(columns[0], "weight", amount=0.3)
    return {"random": random, "magnitude": magnitude, "structured": structured, "columns": columns}


def arc_cosine(gram_x, gram_y, product):
    """K_0, K_1 and K_2; zero where an input is."""
    norms = np.sqrt(gram_x * gram_y)
    cosine = np.divide(product, norms, out=np.zeros_like(norms), where=norms > 0)
    angle = np.arccos(np.clip(cosine, -1, 1))
    phi = np.pi - angle
    k1 = norms / (2 * np.pi) * (np.sin(angle) + phi * cosine)
    k2 = norms**2 / (2 * np.pi) * (3 * np.sin(angle) * cosine + phi * (1 + 2 * cosine**2))
    return np.where(norms > 0, phi / (2 * np.pi), 0), k1, k2


def variances(mask, scale):
    fan_in = mask.sum(1)
    if scale == "density":
        return np.where(fan_in > 0, mask.size / mask.sum(), 0.0)
    return np.divide(mask.shape[1], fan_in, out=np.zeros(len(fan_in)), where=fan_in > 0)


def exact(mask, x, y, scale, kernel, tangent):
    """Bias^2, variance and distance of each pair."""
    n, d = mask.shape
    own = variances(mask, scale)
    tau = np.ones(n) if tangent == "standardised" else np.divide(1, own, out=np.zeros(n), where=own > 0)
    found = []
    for first, second in zip(x, y):
        c = mask @ (first * second)
        k0, k1, k2 = arc_cosine(mask @ first**2, mask @ second**2, c)
        d0, d1, _ = arc_cosine(np.array(first @ first), np.array(second @ second), np.array(first @ second))
        one, square, limit = k1, k2, d1
        if kernel == "ntk":
            one = k1 + tau * c * k0
            square = k2 + 2 * tau * c * k1 + 3 * tau**2 * c**2 * k0
            limit = d1 + (first @ second) * d0
        bias = ((own @ one) / n - limit) / d
        variance = (own**2 @ (square - one**2)) / (n * d) ** 2
        found.append([bias**2, variance, bias**2 + variance])
    return np.array(found)


def drawn(mask, x, y, scale, generator):
    """Mean squared distances of the NNGP and tangent kernels (tau = 1) of drawn networks, with standard errors."""
    n, d = mask.shape
    own = variances(mask, scale)
    limits = [arc_cosine(np.array(a @ a), np.array(b @ b), np.array(a @ b)) for a, b in zip(x, y)]
    nngp = np.array([k1 for _, k1, _ in limits]) / d
    ntk = nngp + np.array([(a @ b) * k0 for (k0, _, _), a, b in zip(limits, x, y)]) / d
    products = mask @ (x * y).T
    found = []
    for _ in range(DRAWS):
        weights = generator.standard_normal((n, d)) * mask * np.sqrt(own)[:, None]
        readout = generator.standard_normal(n)
        u, v = weights @ x.T, weights @ y.T
        features = (np.maximum(u, 0) * np.maximum(v, 0)).sum(0) / (n * d)
        gains = (own * readout**2)[:, None] * (u > 0) * (v > 0) * products
        found.append([((features - nngp) ** 2).mean(), ((features + gains.sum(0) / (n * d) - ntk) ** 2).mean()])
    found = np.array(found)
    return found.mean(0), found.std(0, ddof=1) / np.sqrt(DRAWS)


def write(folder, models):
    """Writes each network in both formats and both styles of keys: as torch has it, and masks by the names of weights."""
    for how, model in models.items():
        state = {key: value.numpy().astype(np.float32) for key, value in model.state_dict().items()}
        save_file(state, folder / f"{how}.safetensors")
        masks = {key.removesuffix("_mask"): value != 0 for key, value in state.items() if key.endswith("_mask")}
        np.savez(folder / f"{how}.npz", **masks)


def compare(program, models, x, y):
    generator = np.random.default_rng(1)
    worst, scores = 0.0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", y)
        write(folder, models)
        for how, model in models.items():
            mask = model[0].weight_mask.numpy().astype(float)
            for scale in ("density", "fan-in"):
                draws, errors = drawn(mask, x, y, scale, generator)
                for tangent in ("standardised", "paper"):
                    arguments = [program, "masks", f"{how}.safetensors", f"{how}.npz", "--x", "x.npy", "--y", "y.npy"]
                    options = ["--scale", scale, "--tangent", tangent, "--drawn", "0", "--json", "--quiet"]
                    run = subprocess.run(arguments + options, cwd=folder, capture_output=True, text=True, check=True)
                    records = [json.loads(line) for line in run.stdout.splitlines()]
                    assert len(records) == 4, run.stdout
                    for record in records:
                        assert record["kept"] == int(model[0].weight_mask.sum()), record
                        assert record["density"] == float(model[0].weight_mask.mean(dtype=torch.float64)), record
                        found = exact(mask, x, y, scale, record["kernel"], tangent)
                        expected = found.mean(0)
                        values = [record["bias_squared"], record["variance"], record["distance"]]
                        worst = max(worst, np.max(np.abs(values - expected) / expected[2]))
                        worst = max(worst, abs(record["median"] / np.median(found[:, 2]) - 1))
                        if tangent == "standardised" and record["file"].endswith(".npz"):
                            place = ["nngp", "ntk"].index(record["kernel"])
                            scores.append((draws[place] - record["distance"]) / errors[place])
    print(f"largest relative difference from NumPy: {worst:.1e}")
    print(f"{len(scores)} distances: at most {np.max(np.abs(scores)):.1f} standard errors from drawn networks")
    # Beyond 4.5 once in 9,000 runs.
    assert worst < 1e-10 and np.max(np.abs(scores)) < 4.5


def write_tests(folder):
    """Networks of a few units, and what torch and NumPy find of them."""
    models = pruned(12, 10)
    x, y = np.random.default_rng(2).standard_normal((2, 5, 12)).round(3)
    write(folder, models)
    cases = []
    for how, model in models.items():
        mask = model[0].weight_mask.numpy().astype(float)
        layers = {}
        for name, layer in model.named_children():
            if isinstance(layer, torch.nn.Linear):
                kept = getattr(layer, "weight_mask", torch.ones_like(layer.weight))
                counts = {"kept": int(kept.sum()), "density": float(kept.mean(dtype=torch.float64))}
                layers[name] = counts | {"pruned": hasattr(layer, "weight_mask")}
        distances = [
            {"scale": scale, "kernel": kernel, "tangent": tangent, "distances": exact(mask, x, y, scale, kernel, tangent).tolist()}
            for scale in ("density", "fan_in")
            for kernel, tangent in (("nngp", "standardised"), ("ntk", "standardised"), ("ntk", "paper"))
        ]
        cases.append({"file": how, "layers": layers, "kernels": distances})
    document = {"made_by": f"scripts/check_pruned.py, torch {torch.__version__}", "x": x.tolist(), "y": y.tolist(), "cases": cases}
    (folder / "expected.json").write_text(json.dumps(document) + "\n")


def main():
    x, y = np.random.default_rng(0).standard_normal((2, PAIRS, 60))
    compare(str(Path(sys.argv[1]).resolve()), pruned(60, 48), x, y)
    if len(sys.argv) > 2:
        write_tests(Path(sys.argv[2]))


if __name__ == "__main__":
    main()
