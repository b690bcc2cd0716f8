"""Studies and regression: against the program to the last bit, against NumPy programs, and on wrong input."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import sparsewidth as sw

ROOT = Path(__file__).parents[2]
Array = NDArray[np.float64]


def samples(seed: int, count: int = 90, d: int = 10) -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Training and test samples of three classes."""
    rng = np.random.default_rng(seed)
    x, x_test = rng.standard_normal((count, d)), rng.standard_normal((60, d))

    def classes(inputs: Array) -> NDArray[np.int64]:
        return (inputs[:, 0] > 0).astype(np.int64) + (inputs[:, 1] > 0.5)

    return x, classes(x), x_test, classes(x_test)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Any, ...]:
    """Samples, also as the file that the program reads."""
    found = samples(5)
    arrays: dict[str, Any] = dict(zip(("x_train", "y_train", "x_test", "y_test"), found))
    np.savez(tmp_path / "data.npz", **arrays)
    return found


@pytest.fixture
def inputs(tmp_path: Path) -> Array:
    """Inputs, also as the file that the program reads."""
    x = np.random.default_rng(6).standard_normal((50, 12)) ** 3
    np.save(tmp_path / "data.npy", x)
    return x


def program(folder: Path, *arguments: str) -> list[Any]:
    """What the program prints as JSON."""
    path = Path(os.environ.get("SPARSEWIDTH", ROOT / "target/release/sparsewidth"))
    if not path.exists():
        print(f"SKIPPED: no program at {path}, which these are compared with")
        pytest.skip(f"no program at {path}")
    command = [str(path), *arguments, "--json", "--quiet"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


# Arguments of the program beside the call that must find the same; the data are data.npy or data.npz.
OF_INPUTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "distance": (
        "distance --data data.npy --widths 8,16,30 --weights 96 --pairs 60 --seed 3",
        lambda x: sw.distance(x, widths=[8, 16, 30], weights=96, pairs=60, seed=3),
    ),
    "distance, default widths": (
        "distance --data data.npy --weights 1000 --outputs 3 --methods expansion,paper",
        lambda x: sw.distance(x, weights=1000, outputs=3, methods=("expansion", "paper")),
    ),
    "distance of networks": (
        (
            "distance --data data.npy --networks 8:0.5,20:0.25 --kernel ntk --tangent paper --normalisation pixel,none "
            "--pairs 40 --mask exact-count --law uniform --initialisations 20 --tolerance 1e-6 --masks 500"
        ),
        lambda x: sw.distance(
            x,
            networks=[(8, 0.5), "20:0.25"],
            get="ntk",
            tangent="paper",
            normalisation=["pixel", "none"],
            pairs=40,
            mask="exact-count",
            law="uniform",
            initialisations=20,
            tolerance=1e-6,
            n_masks=500,
        ),
    ),
    "distance over all pairs": (
        "distance --data data.npy --networks 8:0.5 --methods sampled_all,expansion_all --device cpu --reference analytic",
        lambda x: sw.distance(
            x, networks=[(8, 0.5)], methods=["sampled_all", "expansion_all"], device="cpu", reference="analytic"
        ),
    ),
    "optimum": (
        "optimum --data data.npy --weights 200 --pairs 50 --median --tolerance 1e-4 --seed 1",
        lambda x: [sw.optimum(x, weights=200, pairs=50, median=True, tolerance=1e-4, seed=1)],
    ),
    "optimum of the tangent kernel": (
        "optimum --data data.npy --weights 200 --pairs 50 --kernel ntk --normalisation global",
        lambda x: [sw.optimum(x, weights=200, pairs=50, get="ntk", normalisation="global")],
    ),
    "verify": (
        "verify --data data.npy --weights-per-row 3 --widths 8 --pairs 4 --initialisations 2000",
        lambda x: [sw.verify(x, weights_per_row=3, widths=8, pairs=4, initialisations=2000)],
    ),
}
OF_SETS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "predict": (
        (
            "predict --data data.npz --widths 8,20 --weights 104 --initialisations 2 --samples 90 --limits --pairs 30 "
            "--ridges 0.01,1"
        ),
        lambda data: sw.predict(
            data, widths=[8, 20], weights=104, initialisations=2, samples=90, limits=True, pairs=30, ridges=[0.01, 1]
        ),
    ),
    "train": (
        "train --data data.npz --widths 8,20 --weights 104 --lr 2 --epochs 3 --runs 2 --batch 32 --samples 80 --seed 9",
        lambda data: sw.train(
            data, widths=(8, 20), weights=104, learning_rate=2, epochs=3, runs=2, batch=32, samples=80, seed=9
        ),
    ),
    "train dense": (
        (
            "train --data data.npz --widths 8 --dense --biases --parametrisation standard --activation linear "
            "--normalisation none --learning-rate 0.5 --epochs 2 --samples 90"
        ),
        lambda data: sw.train(
            data,
            widths=[8],
            dense=True,
            biases=True,
            parametrisation="standard",
            activation="linear",
            normalisation="none",
            learning_rate=0.5,
            epochs=2,
            samples=90,
        ),
    ),
    "tune": (
        (
            "tune --data data.npz --widths 8 --weights 104 --highest 4 --epochs 9 --runs 2 --samples 60 --validation 30 "
            "--out searched"
        ),
        lambda data: [sw.tune(data, widths=[8], weights=104, highest=4, epochs=9, runs=2, samples=60, validation=30)],
    ),
    "optimum by regression": (
        "optimum --data data.npz --weights 200 --by ntk-regression --initialisations 2 --samples 90",
        lambda data: [sw.optimum(data, weights=200, by="ntk-regression", initialisations=2, samples=90)],
    ),
}


@pytest.mark.parametrize("name", OF_INPUTS)
@pytest.mark.filterwarnings("ignore:Widths")
def test_studies_of_inputs_are_those_of_the_program(tmp_path: Path, inputs: Array, name: str) -> None:
    arguments, call = OF_INPUTS[name]
    assert without_words(call(inputs)) == without_words(program(tmp_path, *arguments.split()))


@pytest.mark.parametrize("name", OF_SETS)
@pytest.mark.filterwarnings("ignore:Training on all")
def test_studies_of_samples_are_those_of_the_program(tmp_path: Path, sets: tuple[Any, ...], name: str) -> None:
    arguments, call = OF_SETS[name]
    assert without_words(call(sets)) == without_words(program(tmp_path, *arguments.split()))


def without_words(found: Any) -> Any:
    """Records compare but for seconds, which are no result."""
    if isinstance(found, list):
        return [without_words(one) for one in found]
    if isinstance(found, dict):
        return {name: without_words(value) for name, value in found.items() if name != "seconds"}
    return found


def test_masks_are_measured_as_by_the_program(tmp_path: Path, inputs: Array) -> None:
    first = np.random.default_rng(1).random((20, 12)) < 0.4
    second = np.random.default_rng(2).random((3, 20)) < 0.5
    sw.save_masks(tmp_path / "one.npz", {"fc1.weight": first})
    sw.save_masks(tmp_path / "two.npz", {"fc1.weight": first, "fc2.weight": second})
    arguments = "masks one.npz two.npz --data data.npy --pairs 50 --drawn 20 --kernel nngp,ntk --seed 4"
    expected = program(tmp_path, *arguments.split())
    two = {"fc1.weight": first, "fc2.weight": second}
    chosen: dict[str, Any] = {"pairs": 50, "drawn": 20, "get": ("nngp", "ntk"), "seed": 4}
    masks = {"one.npz": {"fc1.weight": first}, "two.npz": two}
    assert sw.mask_distance(masks, inputs, **chosen) == expected
    paths: list[str | Path] = ["one.npz", Path("two.npz")]
    previous = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert sw.mask_distance(paths, inputs, **chosen) == expected
    finally:
        os.chdir(previous)


def arc_cosine(x: Array, y: Array) -> tuple[Array, Array]:
    """K_1 and K_2 of each row of x with that of y."""
    size = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    cosine = np.clip((x * y).sum(-1) / np.where(size > 0, size, 1), -1, 1)
    angle, sine = np.arccos(cosine), np.sqrt(1 - cosine**2)
    k1 = size * (sine + (np.pi - angle) * cosine) / (2 * np.pi)
    k2 = size**2 * (3 * sine * cosine + (np.pi - angle) * (1 + 2 * cosine**2)) / (2 * np.pi)
    return k1, k2


def theorem_1(x: Array, y: Array, n: int, p: float) -> tuple[float, float]:
    """Bias^2 and variance / n, means over pairs, by the sum over all masks."""
    d = x.shape[1]
    masks = (np.arange(2**d)[:, None] >> np.arange(d)) & 1
    kept = masks.sum(axis=1)
    probability = p**kept * (1 - p) ** (d - kept)
    bias = variance = 0.0
    for a, b in zip(x, y):
        m1, m2 = (probability @ k / p**power for power, k in zip((1, 2), arc_cosine(masks * a, masks * b)))
        bias += (m1 - arc_cosine(a, b)[0]) ** 2 / d**2 / len(x)
        variance += (m2 - m1**2) / (d**2 * n) / len(x)
    return bias, variance


@pytest.mark.parametrize("d", [3, 8, 12])
def test_distances_are_theorem_1_summed_over_masks(d: int) -> None:
    x = np.random.default_rng(d).standard_normal((6, d)) ** 3
    i, j = np.triu_indices(6, 1)
    networks = [(n, p) for n, p in ((4, 1.0), (10, 0.4), (40, 0.1))]
    records = sw.distance(x, networks=networks, methods="theorem1", normalisation="none", pairs=15, tolerance=1e-10)
    for record, (n, p) in zip(records, networks, strict=True):
        bias, variance = theorem_1(x[i], x[j], n, p)
        # The tolerance, amplified where K~_1 and K_1 nearly cancel.
        assert record["mean"] == pytest.approx(bias + variance, rel=1e-8)
        assert record["bias_squared"] == pytest.approx(bias, rel=1e-7, abs=1e-12)
        assert record["variance"] / n == pytest.approx(variance, rel=1e-8)


@pytest.mark.filterwarnings("ignore:Theorem 1. the search ends")
def test_the_optimum_is_the_least_of_the_theorem() -> None:
    x = np.random.default_rng(0).standard_normal((8, 10)) ** 3
    i, j = np.triu_indices(8, 1)
    found = sw.optimum(x, weights=50, pairs=28, tolerance=1e-6)
    best = next(one for one in found["optima"] if one["method"] == "theorem1")["at"]["width"]
    distances = {n: sum(theorem_1(x[i], x[j], n, 5 / n)) for n in range(5, 51)}
    assert best == min(distances, key=lambda n: distances[n])


def test_a_regression_solves_the_linear_equations() -> None:
    rng = np.random.default_rng(0)
    x, new, y = rng.standard_normal((30, 6)), rng.standard_normal((5, 6)), rng.standard_normal((30, 2))
    kernel, cross = sw.kernel(x, get="ntk", connectivity=0.5), sw.kernel(new, x, get="ntk", connectivity=0.5)
    machine = sw.KernelRidge(kernel, y)
    np.testing.assert_allclose(machine.eigenvalues, np.linalg.eigvalsh(kernel), rtol=1e-9)
    ridge = machine.select()
    fit = machine.fit(ridge)
    alpha = ridge * np.trace(kernel) / 30
    inverse = np.linalg.inv(kernel + alpha * np.eye(30))
    # Condition numbers are below 1e5 here.
    assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    np.testing.assert_allclose(fit.coefficients, inverse @ y, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.predict(cross), cross @ inverse @ y, rtol=1e-9, atol=1e-12)
    diagonal = np.diag(sw.kernel(new, get="ntk", connectivity=0.5))
    expected = diagonal - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    np.testing.assert_allclose(fit.variance(cross, diagonal), expected, rtol=1e-9)
    likelihood = -0.5 * np.sum(y * (inverse @ y)) + np.linalg.slogdet(inverse)[1] - 30 * np.log(2 * np.pi)
    assert fit.log_marginal_likelihood == pytest.approx(likelihood, rel=1e-9)
    # Leaving one out, by leaving one out.
    residuals = []
    for k in range(30):
        others = np.arange(30) != k
        rest = np.linalg.solve(kernel[np.ix_(others, others)] + alpha * np.eye(29), y[others])
        residuals.append(y[k] - kernel[k, others] @ rest)
    [step] = machine.path([ridge])
    assert step.squared_error == pytest.approx(np.mean(np.square(residuals)), rel=1e-9)
    assert step.error_rate is None and step.ridge == ridge


def test_regression_predicts_classes_and_numbers() -> None:
    x, y, x_test, y_test = samples(3, count=300)
    classes = sw.regression(x, y, x_test, y_test, get="ntk")
    assert classes.outputs.shape == (60, 3)
    assert classes.test_error is not None
    assert classes.test_error == np.mean(classes.outputs.argmax(1) != y_test)
    # Guessing the commonest class is wrong in half of the samples.
    assert classes.test_error < 0.3
    numbers = sw.regression(x, x[:, 0], x_test, x_test[:, 0], connectivity=0.5, method="expansion")
    assert numbers.outputs.shape == (60, 1)
    # The variance of what is predicted is 1.
    assert numbers.test_error is not None and numbers.test_error < 0.5
    assert sw.regression(x, y, x_test).test_error is None


def test_a_study_resumes_from_its_folder(tmp_path: Path, inputs: Array) -> None:
    chosen: dict[str, Any] = {"networks": [(8, 0.5), (20, 0.25)], "pairs": 30, "seed": 2, "out": tmp_path / "o"}
    records = sw.distance(inputs, methods="sampled", **chosen)
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert {"index.html", "records.jsonl", "distance.csv"} <= names
    assert sw.load_records(tmp_path / "o") == records
    assert sw.distance(inputs, methods="sampled", **chosen) == records
    # The program draws the same pictures of it again.
    picture = next(path for path in (tmp_path / "o").iterdir() if path.suffix == ".svg")
    before = picture.read_bytes()
    program(tmp_path, "distance", "--from", "o")
    assert picture.read_bytes() == before
    with pytest.raises(ValueError, match="out="):
        sw.distance(inputs * 2, methods="sampled", **chosen)


def test_folders_of_reports_are_those_of_the_program(tmp_path: Path, inputs: Array) -> None:
    sw.optimum(inputs, weights=200, pairs=20, out=tmp_path / "python")
    program(tmp_path, *["optimum", "--data", "data.npy", "--weights", "200", "--pairs", "20", "--out", "program"])
    names = sorted(path.name for path in (tmp_path / "program").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "python").iterdir())
    for name in names:
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "program" / name).read_bytes(), name


def test_searched_rates_are_read(tmp_path: Path, sets: tuple[Any, ...]) -> None:
    chosen: dict[str, Any] = {"widths": [8], "weights": 104, "epochs": 9, "samples": 60}
    found = sw.tune(sets, **chosen, highest=4, runs=1, validation=30, out=tmp_path / "tune")
    [record] = sw.train(sets, **chosen, runs=1, rates=tmp_path / "tune/rates.toml")
    assert record["learning_rate"] == found["tuned"][0]["best"]["network"]["learning_rate"]
    predicted = sw.predict(
        sets, widths=[8], weights=104, train=True, rates=tmp_path / "tune/rates.toml", runs=1, epochs=2, samples=60
    )
    assert {record["kind"] for record in predicted} == {"prediction", "training", "distance"}


def test_remarks_are_warnings(sets: tuple[Any, ...]) -> None:
    with pytest.warns(UserWarning, match="Training on all 90 samples") as caught:
        sw.train(sets, widths=[8], weights=104, learning_rate=1, epochs=1, runs=1)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="choose others with widths"):
        sw.distance(sets[0], weights=1000, outputs=3, methods="paper")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sw.distance(sets[0], widths=[8, 16], weights=80, methods="paper")


def test_forms_of_data_are_the_same(tmp_path: Path, sets: tuple[Any, ...]) -> None:
    chosen: dict[str, Any] = {"widths": [8], "weights": 104, "learning_rate": 1, "epochs": 2, "runs": 1, "samples": 80}
    names = ("x_train", "y_train", "x_test", "y_test")

    def losses(data: Any) -> Any:
        return sw.train(data, **chosen)[0]["curve"]

    expected = losses(sets)
    assert losses(dict(zip(names, sets))) == expected
    assert losses(tmp_path / "data.npz") == expected
    assert losses(tuple(part.tolist() for part in sets)) == expected
    strided = np.repeat(sets[0], 2, axis=0)[::2]
    assert losses((strided, *sets[1:])) == expected
    assert losses((sets[0].reshape(90, 2, 5), sets[1], sets[2].reshape(60, 2, 5), sets[3])) == expected


def test_drawn_kernels_of_two_sets_are_a_block_of_those_of_both() -> None:
    x = np.random.default_rng(0).standard_normal((7, 9))
    chosen: dict[str, Any] = {"width": 20, "connectivity": 0.5, "n_samples": [3, 8], "get": "ntk"}
    for block, both in zip(sw.monte_carlo_kernel(x[:4], x[4:], **chosen), sw.monte_carlo_kernel(x, **chosen)):
        np.testing.assert_array_equal(block.mean, both.mean[:4, 4:])
        np.testing.assert_array_equal(block.standard_error, both.standard_error[:4, 4:])


def test_inputs_alone_may_have_a_name(inputs: Array) -> None:
    chosen: dict[str, Any] = {"networks": [(8, 0.5)], "methods": "paper"}
    expected = sw.distance(inputs, **chosen)
    assert sw.distance({"x": inputs}, **chosen) == expected
    assert sw.distance(inputs.tolist(), **chosen) == expected
    assert sw.distance(cast(Any, list(inputs)), **chosen) == expected
    drawn = sw.load_data("gaussian:12,50")
    assert sw.distance(drawn, **chosen)[0]["mean"] == sw.distance(drawn["x"], **chosen)[0]["mean"]


def test_widths_may_be_an_array(inputs: Array) -> None:
    chosen: dict[str, Any] = {"weights": 96, "methods": "paper"}
    expected = sw.distance(inputs, widths=[8, 16], **chosen)
    assert sw.distance(inputs, widths=np.array([8, 16]), **chosen) == expected
    assert sw.distance(inputs, widths=range(8, 17, 8), **chosen) == expected
    assert sw.distance(inputs, widths=cast(Any, np.array(8)), **chosen) == expected[:1]
    assert sw.distance(inputs, networks=cast(Any, [(np.int64(8), np.float32(0.5))]), methods="paper") == sw.distance(
        inputs, networks=["8:0.5"], methods="paper"
    )


@pytest.mark.parametrize("end", ["", "_mask"])
def test_masks_by_names_of_weights_are_one_network(inputs: Array, end: str) -> None:
    masks = sw.draw_masks({"0.weight": (20, 12), "2.weight": (3, 20)}, density=0.5)
    named = {f"{name}{end}": mask for name, mask in masks.items()}
    chosen: dict[str, Any] = {"pairs": 20, "drawn": 0}
    report = sw.mask_report(named, inputs, **chosen)
    assert report == sw.mask_report({"mask": masks}, inputs, **chosen)
    assert [layer["layer"] for layer in report["layers"]] == ["0", "2"]
    # The program's default: both kernels.
    assert [record["kernel"] for record in report["records"]] == ["nngp", "ntk"]
    others = sw.mask_distance({"a": masks["0.weight"], "b": masks["0.weight"]}, inputs, get="nngp", **chosen)
    assert [record["file"] for record in others] == ["a", "b"]


def test_remarks_on_arrays_name_no_file(inputs: Array) -> None:
    with pytest.warns(UserWarning) as caught:
        sw.verify(inputs, weights_per_row=[3, 100], widths=8, pairs=4, initialisations=1000)
    assert caught and not any("data.np" in str(one.message) for one in caught)


@pytest.mark.filterwarnings("error")
def test_whole_numbers_that_may_be_no_classes_are_said() -> None:
    x = np.random.default_rng(0).standard_normal((20, 4))
    counts = np.arange(20) % 12
    with pytest.warns(UserWarning, match="targets: .* 12 classes.* floats") as caught:
        sw.KernelRidge(sw.kernel(x), counts)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="y_train: .* 12 classes.* floats") as caught:
        sw.regression(x, counts, x)
    assert caught[0].filename == __file__
    sw.KernelRidge(sw.kernel(x), counts.astype(float))
    sw.KernelRidge(sw.kernel(x), counts % 10)


def test_training_targets_decide_what_test_targets_are() -> None:
    x, y, x_test, y_test = samples(3, count=100)
    expected = sw.regression(x, y, x_test, y_test).test_error
    assert sw.regression(x, y, x_test, y_test.astype(float)).test_error == expected
    numbers = sw.regression(x, y.astype(float), x_test, y_test)
    assert numbers.test_error == pytest.approx(np.mean((numbers.outputs[:, 0] - y_test) ** 2))
    # One of three classes in the test set.
    assert sw.regression(x, y, x_test[:1], y_test[:1]).test_error in (0.0, 1.0)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_regressions_are_copied(again: Callable[[Any], Any]) -> None:
    x, y, x_test, y_test = samples(3)
    kernel, cross = sw.kernel(x), sw.kernel(x_test, x)
    for targets in (y, x[:, :2]):
        given = kernel.copy()
        machine = sw.KernelRidge(given, targets)
        given[:] = 0
        fit, other = machine.fit(0.1), again(machine)
        np.testing.assert_array_equal(other.eigenvalues, machine.eigenvalues)
        assert other.path() == machine.path()
        np.testing.assert_array_equal(again(fit).predict(cross), fit.predict(cross))
        assert again(fit).log_marginal_likelihood == fit.log_marginal_likelihood
    found = sw.regression(x, y, x_test, y_test)
    np.testing.assert_array_equal(again(found).fit.coefficients, found.fit.coefficients)


class OnGpu:
    """What a tensor on a GPU is to NumPy."""

    def __array__(self, *_: object, **__: object) -> NDArray[Any]:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")


X = np.random.default_rng(0).standard_normal((20, 6))
Y = (X[:, 0] > 0).astype(int)
SETS = (X, Y, X, Y)
EYE = np.eye(20)
WRONG: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "kernel of a GPU's": (TypeError, lambda: sw.kernel(OnGpu())),
    "mask on a GPU": (TypeError, lambda: sw.kernel(X, mask=OnGpu())),
    "masks on a GPU": (TypeError, lambda: sw.mask_distance(OnGpu(), X)),
    "data on a GPU": (TypeError, lambda: sw.distance(OnGpu())),
    "targets on a GPU": (TypeError, lambda: sw.KernelRidge(EYE, OnGpu())),
    "rows of two lengths": (ValueError, lambda: sw.kernel([[1.0], [1.0, 2.0]])),
    "two dimensions": (ValueError, lambda: sw.monte_carlo_kernel(X, X[:, :3], width=8)),
    "no data": (ValueError, lambda: sw.distance("no such data")),
    "vector": (ValueError, lambda: sw.distance(X[0])),
    "empty": (ValueError, lambda: sw.distance(X[:0])),
    "objects": (TypeError, lambda: sw.distance(X.astype(object))),
    "complex": (TypeError, lambda: sw.distance(X + 1j)),
    "NaN": (ValueError, lambda: sw.distance(X * np.nan, networks=[(8, 0.5)])),
    "one input": (ValueError, lambda: sw.distance(X[:1], networks=[(8, 0.5)], methods="paper")),
    "two arrays": (ValueError, lambda: sw.distance((X, Y))),
    "missing array": (ValueError, lambda: sw.train({"x_train": X, "y_train": Y}, widths=[8])),
    "unknown array": (ValueError, lambda: sw.train({**dict(zip("abcd", SETS))}, widths=[8])),
    "no labels": (ValueError, lambda: sw.train(X, widths=[8], learning_rate=1)),
    "lengths": (ValueError, lambda: sw.train((X, Y[:5], X, Y), widths=[8], learning_rate=1)),
    "dimensions": (ValueError, lambda: sw.train((X, Y, X[:, :3], Y), widths=[8], learning_rate=1)),
    "label fraction": (ValueError, lambda: sw.train((X, Y + 0.5, X, Y), widths=[8], learning_rate=1)),
    "width 0": (ValueError, lambda: sw.distance(X, widths=[0], weights=60)),
    "width below 0": (ValueError, lambda: sw.distance(X, widths=[-8], weights=60)),
    "width text": (TypeError, lambda: sw.distance(X, widths=cast(Any, ["8"]), weights=60)),
    "width overflow": (ValueError, lambda: sw.distance(X, widths=[2**70], weights=60)),
    "widths beside networks": (ValueError, lambda: sw.distance(X, widths=[8], networks=[(8, 0.5)])),
    "networks text": (TypeError, lambda: sw.distance(X, networks="8:0.5")),
    "network alone": (TypeError, lambda: sw.distance(X, networks=cast(Any, [8]))),
    "network density": (ValueError, lambda: sw.distance(X, networks=[(8, 1.5)])),
    "budget": (ValueError, lambda: sw.distance(X, widths=[8], weights=10**6)),
    "method": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], methods="other")),
    "idle tolerance": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], methods="paper", tolerance=0.1)),
    "idle device": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], device="cpu")),
    "idle tangent": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], tangent="paper")),
    "device": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], device="tpu")),
    "pairs 0": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], methods="theorem1", pairs=0)),
    "pairs fraction": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], pairs=cast(Any, 1.5))),
    "tolerance NaN": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], tolerance=float("nan"))),
    "normalisation": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], normalisation="pixels")),
    "reference": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], reference="dense:0")),
    "seed": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], seed=2**70)),
    "folder": (OSError, lambda: sw.distance(X, networks=[(8, 0.5)], methods="paper", out="/dev/null/x")),
    "no rate": (ValueError, lambda: sw.train(SETS, widths=[8])),
    "rate 0": (ValueError, lambda: sw.train(SETS, widths=[8], learning_rate=0)),
    "two rates": (ValueError, lambda: sw.train(SETS, widths=[8], learning_rate=1, rates="x")),
    "no rates": (ValueError, lambda: sw.train(SETS, widths=[8], rates="no/such.toml")),
    "two budgets": (ValueError, lambda: sw.train(SETS, widths=[8], weights=64, connectivity=0.5, learning_rate=1)),
    "dense budget": (ValueError, lambda: sw.train(SETS, widths=[8], weights=64, dense=True, learning_rate=1)),
    "weights without folder": (ValueError, lambda: sw.train(SETS, widths=[8], learning_rate=1, keep_weights=True)),
    "epochs without training": (ValueError, lambda: sw.predict(SETS, widths=[8], epochs=3)),
    "no normalisation": (ValueError, lambda: sw.predict(SETS, widths=[8], normalisation=[])),
    "ridge": (ValueError, lambda: sw.predict(SETS, widths=[8], ridges=[-1])),
    "by": (ValueError, lambda: sw.optimum(X, by="other")),
    "regression of no labels": (ValueError, lambda: sw.optimum(X, by="ntk-regression")),
    "pairs of regression": (ValueError, lambda: sw.optimum(SETS, by="ntk-regression", pairs=5)),
    "few initialisations": (ValueError, lambda: sw.verify(X, initialisations=10)),
    "mask dimensions": (ValueError, lambda: sw.mask_distance(np.ones((4, 5)), X)),
    "mask entries": (ValueError, lambda: sw.mask_distance(np.full((4, 6), 0.5), X)),
    "mask objects": (TypeError, lambda: sw.mask_distance(np.full((4, 6), None), X)),
    "no layers": (ValueError, lambda: sw.mask_distance({"a": {}}, X)),
    "no file": (ValueError, lambda: sw.mask_distance("no/such.npz", X)),
    "kernel shape": (ValueError, lambda: sw.KernelRidge(EYE[:, :3], Y)),
    "no kernel": (ValueError, lambda: sw.KernelRidge(-EYE, Y)),
    "targets": (ValueError, lambda: sw.KernelRidge(EYE, Y[:5])),
    "negative class": (ValueError, lambda: sw.KernelRidge(EYE, Y - 1)),
    "targets text": (TypeError, lambda: sw.KernelRidge(EYE, ["a"] * 20)),
    "criterion": (ValueError, lambda: sw.KernelRidge(EYE, Y).select(criterion="other")),
    "classification of numbers": (ValueError, lambda: sw.KernelRidge(EYE, X).select(criterion="classification")),
    "ridge 0": (ValueError, lambda: sw.KernelRidge(EYE, Y).fit(0.0)),
    "no ridges": (ValueError, lambda: sw.KernelRidge(EYE, Y).path([])),
    "cross": (ValueError, lambda: sw.KernelRidge(EYE, Y).fit(1).predict(EYE[:, :3])),
    "diagonal": (ValueError, lambda: sw.KernelRidge(EYE, Y).fit(1).variance(EYE, np.ones(3))),
    "test labels": (ValueError, lambda: sw.regression(X, Y, X, Y[:3])),
    "test label": (ValueError, lambda: sw.regression(X, Y, X, Y + 1)),
    "test label below 0": (ValueError, lambda: sw.regression(X, Y, X, Y - 1)),
    "test label fraction": (ValueError, lambda: sw.regression(X, Y, X, Y + 0.5)),
    "test label scalar": (ValueError, lambda: sw.regression(X, Y, X, 1)),
    "test label column": (ValueError, lambda: sw.regression(X, Y, X, Y[:, None])),
    "test numbers": (ValueError, lambda: sw.regression(X, X[:, :2], X, X[:, 0])),
    "test number scalar": (ValueError, lambda: sw.regression(X, X[:, 0], X, 1.0)),
    "test text": (TypeError, lambda: sw.regression(X, Y, X, ["a"] * 20)),
    "two kernels": (TypeError, lambda: sw.regression(X, Y, X, get=cast(Any, ("nngp", "ntk")))),
    "training labels": (ValueError, lambda: sw.regression(X, Y[:5], X)),
    "test inputs": (ValueError, lambda: sw.regression(X, Y, X[:, :2])),
    "target scalar": (ValueError, lambda: sw.KernelRidge(EYE, 1)),
    "ridge text": (TypeError, lambda: sw.KernelRidge(EYE, Y).fit(cast(Any, "a"))),
    "ridges of one": (TypeError, lambda: sw.KernelRidge(EYE, Y).select(cast(Any, 0.5))),
    "no ridges to select": (ValueError, lambda: sw.KernelRidge(EYE, Y).select([])),
    "no widths": (ValueError, lambda: sw.distance(X, widths=[])),
    "no widths to train": (ValueError, lambda: sw.train(SETS, widths=[], learning_rate=1)),
    "widths None": (TypeError, lambda: sw.train(SETS, widths=cast(Any, None), learning_rate=1)),
    "no networks": (ValueError, lambda: sw.distance(X, networks=[])),
    "no methods": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], methods=[])),
    "no normalisations": (ValueError, lambda: sw.distance(X, networks=[(8, 0.5)], normalisation=())),
    "no kernels": (ValueError, lambda: sw.predict(SETS, widths=[8], get=[])),
    "no tangents": (ValueError, lambda: sw.predict(SETS, widths=[8], tangent=[])),
    "no ridges to predict": (ValueError, lambda: sw.predict(SETS, widths=[8], ridges=[])),
    "no rows": (ValueError, lambda: sw.verify(X, weights_per_row=[])),
    "no masks": (ValueError, lambda: sw.mask_distance({}, X)),
    "no files": (ValueError, lambda: sw.mask_distance([], X)),
    "no kernels of masks": (ValueError, lambda: sw.mask_distance(np.ones((4, 6)), X, get=())),
    "layer twice": (ValueError, lambda: sw.mask_distance({"m": {"a": X > 0, "a.weight": X > 0}}, X)),
    "layer number": (TypeError, lambda: sw.mask_distance({"m": {0: X > 0}}, X)),
    "network width fraction": (ValueError, lambda: sw.distance(X, networks=cast(Any, [(8.5, 0.5)]))),
    "network width float": (ValueError, lambda: sw.distance(X, networks=cast(Any, [(8.0, 0.5)]))),
    "network width bool": (TypeError, lambda: sw.distance(X, networks=[(True, 0.5)])),
    "network width text": (TypeError, lambda: sw.distance(X, networks=cast(Any, [("8", 0.5)]))),
    "network density text": (TypeError, lambda: sw.distance(X, networks=cast(Any, [(8, "0.5")]))),
    "network density bool": (TypeError, lambda: sw.distance(X, networks=[(8, True)])),
    "network density NaN": (ValueError, lambda: sw.distance(X, networks=[(8, float("nan"))])),
    "list of sets": (ValueError, lambda: sw.train(cast(Any, list(SETS)), widths=[8], learning_rate=1)),
    "list of arrays": (ValueError, lambda: sw.distance(cast(Any, [X, X[:5]]))),
    "lists of sets": (ValueError, lambda: sw.train([X.tolist(), Y.tolist()] * 2, widths=[8], learning_rate=1)),
    "list of masks": (ValueError, lambda: sw.mask_distance([np.ones((4, 6)), np.ones((4, 6))], X)),
    "masks and files": (ValueError, lambda: sw.mask_distance(cast(Any, ["a.npz", np.ones((4, 6))]), X)),
    "ridges of an array": (TypeError, lambda: sw.KernelRidge(EYE, Y).select(np.array(0.5))),
    "criterion None": (TypeError, lambda: sw.KernelRidge(EYE, Y).select(criterion=cast(Any, None))),
    "no such data": (TypeError, lambda: sw.distance(cast(Any, None))),
}


STUDIES: dict[str, Callable[..., object]] = {
    "distance": lambda **chosen: sw.distance(X, networks=[(8, 0.5)], **chosen),
    "predict": lambda **chosen: sw.predict(SETS, widths=[8], **chosen),
    "train": lambda **chosen: sw.train(SETS, widths=[8], learning_rate=1, **chosen),
    "tune": lambda **chosen: sw.tune(SETS, widths=[8], **chosen),
    "optimum": lambda **chosen: sw.optimum(X, **chosen),
    "verify": lambda **chosen: sw.verify(X, **chosen),
    "mask_distance": lambda **chosen: sw.mask_distance(np.ones((4, 6)), X, **chosen),
    "mask_report": lambda **chosen: sw.mask_report(np.ones((4, 6)), X, **chosen),
}


@pytest.mark.parametrize("name", STUDIES)
def test_folders_have_names(name: str) -> None:
    with pytest.raises(ValueError, match="out = '': .*; "):
        STUDIES[name](out="")
    with pytest.raises(TypeError, match="out = 3: .*; "):
        STUDIES[name](out=3)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore")
def test_wrong_input_is_refused(name: str) -> None:
    kind, call = WRONG[name]
    with pytest.raises(kind) as caught:
        call()
    # What is wrong, and what to do; no option of the program, which Python does not have.
    words = str(caught.value)
    assert ":" in words and ";" in words, words
    assert "--" not in words, words
    # Arrays are no file.
    assert "data.np" not in words, words


def test_an_interrupted_study_goes_on(tmp_path: Path) -> None:
    code = (
        "import sparsewidth as sw, sys\n"
        "print('begun', flush=True)\n"
        "sw.distance('mnist', widths=[8, 32, 128], methods=['paper', 'theorem1'], pairs=2000, tolerance=1e-8,\n"
        f"            out={str(tmp_path / 'o')!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    for _ in range(600):
        journal = tmp_path / "o/journal.jsonl"
        if journal.exists() and journal.read_text().count("\n") > 3:
            break
        time.sleep(0.1)
    begun = time.perf_counter()
    process.send_signal(2)
    _, error = process.communicate(timeout=60)
    # Within a second for the call, and some for the interpreter's end on a busy machine.
    assert time.perf_counter() - begun < 5
    assert "KeyboardInterrupt" in error
    held = len((tmp_path / "o/journal.jsonl").read_text().splitlines())
    assert held > 3
