"""Kernels, budgets and masks against NumPy programs, against the program, and on wrong input."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import sparsewidth as sw
from sparsewidth._arguments import bar

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(3)
Array = NDArray[np.float64]


def arc_cosine(x: Array, y: Array) -> tuple[float, float]:
    """K_0, K_1 of two vectors, 0 where one vanishes."""
    norms = np.linalg.norm(x) * np.linalg.norm(y)
    if norms == 0:
        return 0.0, 0.0
    angle = np.arccos(np.clip(x @ y / norms, -1, 1))
    return (np.pi - angle) / (2 * np.pi), norms / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))


def by_masks(x: Array, y: Array, p: float, tau: float) -> tuple[float, float]:
    """The mean kernel as the sum over all masks of both kernels."""
    d = len(x)
    nngp = ntk = 0.0
    for bits in itertools.product((0.0, 1.0), repeat=d):
        mask = np.array(bits)
        probability = np.prod(np.where(mask == 1, p, 1 - p))
        k0, k1 = arc_cosine(mask * x, mask * y)
        nngp += probability * k1 / p / d
        ntk += probability * float(k1 + tau * (mask * x) @ (mask * y) * k0) / p / d
    return nngp, ntk


@pytest.mark.parametrize("d, p", [(2, 0.3), (7, 0.5), (12, 0.1), (5, 1.0)])
def test_kernels_are_sums_over_masks(d: int, p: float) -> None:
    x, y = RNG.standard_normal((3, d)), RNG.standard_normal((2, d))
    for tangent, tau in (("standardised", 1.0), ("paper", p)):
        found = sw.kernel(x, y, get=("nngp", "ntk"), connectivity=p, tangent=tangent)
        assert found.nngp is not None and found.ntk is not None
        for i, j in itertools.product(range(3), range(2)):
            expected = by_masks(x[i], y[j], p, tau)
            # Sums of 4,096 terms in double precision.
            assert found.nngp[i, j] == pytest.approx(expected[0], rel=1e-11)
            assert found.ntk[i, j] == pytest.approx(expected[1], rel=1e-11, abs=1e-13)


def test_a_given_mask_has_the_mean_over_its_weights() -> None:
    x, mask = RNG.standard_normal((4, 9)), RNG.random((6, 9)) < 0.5
    density = mask.mean()
    expected = [[sum(arc_cosine(s * a, s * b)[1] for s in mask) / density / 54 for b in x] for a in x]
    np.testing.assert_allclose(sw.kernel(x, mask=mask), expected, rtol=1e-11)
    np.testing.assert_allclose(sw.kernel(x, mask=mask.astype(float), scale="density"), expected, rtol=1e-11)
    np.testing.assert_allclose(sw.kernel(x, mask=mask, scale=float(density)), expected, rtol=1e-11)


def test_drawn_networks_have_the_expected_kernel() -> None:
    x = RNG.standard_normal((6, 15))
    for get in ("nngp", "ntk"):
        few, many = sw.monte_carlo_kernel(x, width=30, connectivity=0.4, get=get, n_samples=[50, 2_000])
        assert (few.n_samples, many.n_samples) == (50, 2_000)
        scores = (many.mean - sw.kernel(x, connectivity=0.4, get=get)) / many.standard_error
        # 21 different entries: beyond 5 once in 80,000 runs.
        assert np.abs(scores).max() < 5
        # The error falls as the root of the number, to the error of an error of 50 draws.
        assert np.median(few.standard_error / many.standard_error) == pytest.approx(40**0.5, rel=0.35)
        again = sw.monte_carlo_kernel(x, width=30, connectivity=0.4, get=get, n_samples=50, threads=1)
        np.testing.assert_array_equal(again.mean, few.mean)


def program() -> str:
    """The program, where it is built."""
    path = Path(os.environ.get("SPARSEWIDTH", ROOT / "target/release/sparsewidth"))
    if not path.exists():
        print(f"SKIPPED: no program at {path}, which these are compared with")
        pytest.skip(f"no program at {path}")
    return str(path)


@pytest.mark.parametrize("options", [{}, {"connectivity": 0.3}, {"connectivity": 0.3, "method": "expansion"}])
@pytest.mark.parametrize("get", ["nngp", "ntk"])
def test_kernels_are_those_of_the_program(tmp_path: Path, get: str, options: dict[str, Any]) -> None:
    x, y = RNG.standard_normal((5, 40)), RNG.standard_normal((4, 40))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    command = [program(), "kernel", "--x", "x.npy", "--y", "y.npy", "--matrix", "k.npy", "--quiet", "--kernel", get]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    command += ["--tolerance", "1e-6"] if options == {"connectivity": 0.3} else []
    subprocess.run(command, cwd=tmp_path, check=True)
    np.testing.assert_array_equal(sw.kernel(x, y, get=get, **options), np.load(tmp_path / "k.npy"))


@pytest.mark.parametrize("rule", ["largest-first", "erk", "last-dense", "er:0.5"])
def test_masks_are_those_of_the_program(tmp_path: Path, rule: str) -> None:
    arguments = ["--arch", "resnet18:4", "--density", "0.2", "--rule", rule, "--masks", "--seed", "7"]
    run = [program(), "budget", *arguments, "--out", "o", "--json", "--quiet"]
    done = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True)
    masks = sw.draw_masks("resnet18:4", density=0.2, rule=rule, seed=7)
    with np.load(tmp_path / "o/masks.npz") as stored:
        assert list(stored) == list(masks)
        for name in stored:
            np.testing.assert_array_equal(stored[name], masks[name])
    layers = [json.loads(line) for line in done.stdout.splitlines()]
    counts = sw.allocate("resnet18:4", density=0.2, rule=rule)
    assert counts == {layer["layer"]: layer["kept"] for layer in layers}
    assert counts == {name: int(mask.sum()) for name, mask in masks.items()}


def test_masks_round_trip(tmp_path: Path) -> None:
    masks = sw.draw_masks({"a.weight": (8, 6), "b.weight": (4, 8, 3, 3)}, weights=100, seed=1)
    for name, keys in itertools.product(("m.npz", "m.safetensors"), ("weights", "torch")):
        sw.save_masks(tmp_path / name, masks, keys=keys)
        again = sw.load_masks(tmp_path / name)
        assert set(again) == set(masks)
        for layer, mask in masks.items():
            assert again[layer].dtype == bool
            np.testing.assert_array_equal(again[layer], mask)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.npz", "m.safetensors"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        sw.save_masks(tmp_path / "no/masks.npz", {"a": np.ones((2, 2))})
    assert str(tmp_path / "no/masks.npz") in str(caught.value) and ".part" not in str(caught.value)


def test_pruned_state_dictionaries_are_read_as_their_layers() -> None:
    plain = {"0.weight": np.ones((8, 6)), "0.bias": np.ones(8), "2.weight": np.ones((4, 8))}
    pruned = {
        "0.bias": np.ones(8),
        "0.weight_orig": np.ones((8, 6)),
        "0.weight_mask": np.ones((8, 6)),
        "2.weight": np.ones((4, 8)),
    }
    assert sw.allocate(pruned, density=0.5) == sw.allocate(plain, density=0.5)
    for name, mask in sw.draw_masks(pruned, density=0.5, seed=3).items():
        np.testing.assert_array_equal(mask, sw.draw_masks(plain, density=0.5, seed=3)[name])
    # Alone, neither says that its layer is pruned.
    assert list(sw.shapes({"a_orig": (3, 4), "b_mask": (4, 3)})) == ["a_orig", "b_mask"]


def test_shapes_are_those_of_the_masks() -> None:
    shapes = sw.shapes("resnet18:4")
    assert shapes == {name: mask.shape for name, mask in sw.draw_masks("resnet18:4", density=0.1).items()}
    assert sw.shapes(shapes) == shapes


def test_whole_numbers_may_be_numpys_and_in_ranges() -> None:
    chosen: dict[str, Any] = {"connectivity": 0.5, "seed": 1}
    expected = sw.monte_carlo_kernel(X, width=8, n_samples=[2, 4], **chosen)
    for width, counts in ((np.array(8), range(2, 5, 2)), (np.int32(8), np.array([2, 4]))):
        for found, one in zip(sw.monte_carlo_kernel(X, width=cast(Any, width), n_samples=counts, **chosen), expected):
            np.testing.assert_array_equal(found.mean, one.mean)
    alone = sw.monte_carlo_kernel(X, width=8, n_samples=cast(Any, np.array(4)), **chosen)
    np.testing.assert_array_equal(alone.mean, expected[1].mean)


class Bar:
    """What tqdm draws, as it is asked for."""

    shown: list[float]

    def __init__(self, **_: object) -> None:
        self.total, self.n = 1, 0
        Bar.shown = []

    def refresh(self) -> None:
        Bar.shown.append(self.n / self.total)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("steps", [[], [(2, 8)], [(3, 8), (9, 8)]])
def test_bars_end_at_the_end(monkeypatch: pytest.MonkeyPatch, steps: list[tuple[int, int]]) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))
    with bar(True, "work") as show:
        assert show is not None
        for done, total in steps:
            show(done, total)
    assert Bar.shown[-1] == 1.0 and max(Bar.shown) <= 1.0
    with pytest.raises(KeyboardInterrupt), bar(True, "work") as show:
        assert show is not None
        show(1, 4)
        raise KeyboardInterrupt
    assert Bar.shown == [0.25]


def test_layouts_and_types_give_the_same_kernel() -> None:
    x = RNG.integers(-5, 5, (6, 10)).astype(np.float64)
    expected = sw.kernel(x)
    read_only = x.copy()
    read_only.flags.writeable = False
    for same in (x.T.copy().T, x.astype(np.float32), x.astype(np.int8), x.tolist(), read_only, x.astype(">f8")):
        np.testing.assert_array_equal(sw.kernel(same), expected)
    np.testing.assert_array_equal(sw.kernel(np.repeat(x, 2, axis=0)[::2]), expected)
    np.testing.assert_array_equal(sw.kernel(x.reshape(6, 2, 5)), expected)


X = RNG.standard_normal((4, 6))
MANY = np.ones((5_000_000, 1))
WRONG: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "NaN": (ValueError, lambda: sw.kernel(np.where(X > 1, np.nan, X) * np.nan)),
    "infinite": (ValueError, lambda: sw.kernel(X * np.inf)),
    "objects": (TypeError, lambda: sw.kernel(X.astype(object))),
    "complex": (TypeError, lambda: sw.kernel(X + 1j)),
    "text": (TypeError, lambda: sw.kernel([["a", "b"]])),
    "ragged": (ValueError, lambda: sw.kernel([[1.0], [1.0, 2.0]])),
    "vector": (ValueError, lambda: sw.kernel(X[0])),
    "scalar": (ValueError, lambda: sw.kernel(1.0)),
    "no rows": (ValueError, lambda: sw.kernel(X[:0])),
    "no columns": (ValueError, lambda: sw.kernel(X[:, :0])),
    "dimensions": (ValueError, lambda: sw.kernel(X, X[:, :3])),
    "kernel": (ValueError, lambda: sw.kernel(X, get="rbf")),
    "kernels": (ValueError, lambda: sw.kernel(X, get=("nngp", "rbf"))),
    "no kernels": (ValueError, lambda: sw.kernel(X, get=())),
    "tangent": (ValueError, lambda: sw.kernel(X, tangent="paper")),
    "convention": (ValueError, lambda: sw.kernel(X, get="ntk", tangent="other")),
    "density 0": (ValueError, lambda: sw.kernel(X, connectivity=0.0)),
    "density below 0": (ValueError, lambda: sw.kernel(X, connectivity=-0.5)),
    "density above 1": (ValueError, lambda: sw.kernel(X, connectivity=1.5)),
    "density NaN": (ValueError, lambda: sw.kernel(X, connectivity=float("nan"))),
    "density text": (TypeError, lambda: sw.kernel(X, connectivity="0.5")),  # type: ignore[call-overload]
    "method": (ValueError, lambda: sw.kernel(X, connectivity=0.5, method="other")),
    "closed form": (ValueError, lambda: sw.kernel(X, connectivity=0.5, method="closed_form")),
    "tolerance": (ValueError, lambda: sw.kernel(X, connectivity=0.5, tolerance=-1.0)),
    "seed": (ValueError, lambda: sw.kernel(X, connectivity=0.5, seed=2**70)),
    "seed below 0": (ValueError, lambda: sw.kernel(X, connectivity=0.5, seed=-1)),
    "threads": (ValueError, lambda: sw.kernel(X, threads=0)),
    "mask and density": (ValueError, lambda: sw.kernel(X, connectivity=0.5, mask=np.ones((2, 6)))),
    "mask shape": (ValueError, lambda: sw.kernel(X, mask=np.ones((2, 5)))),
    "mask vector": (ValueError, lambda: sw.kernel(X, mask=np.ones(6))),
    "mask entries": (ValueError, lambda: sw.kernel(X, mask=np.full((2, 6), 0.5))),
    "empty mask": (ValueError, lambda: sw.kernel(X, mask=np.zeros((2, 6)))),
    "scale alone": (ValueError, lambda: sw.kernel(X, scale="density")),
    "width 0": (ValueError, lambda: sw.monte_carlo_kernel(X, width=0)),
    "width text": (TypeError, lambda: sw.monte_carlo_kernel(X, width="8")),  # type: ignore[call-overload]
    "width fraction": (ValueError, lambda: sw.monte_carlo_kernel(X, width=8.5)),  # type: ignore[call-overload]
    "samples 0": (ValueError, lambda: sw.monte_carlo_kernel(X, width=8, n_samples=0)),
    "samples fall": (ValueError, lambda: sw.monte_carlo_kernel(X, width=8, n_samples=[9, 3])),
    "one input": (ValueError, lambda: sw.monte_carlo_kernel(X[:1], width=8)),
    "family": (ValueError, lambda: sw.monte_carlo_kernel(X, width=8, mask="other")),
    "both amounts": (ValueError, lambda: sw.erk("mlp:4-3-2", density=0.5, sparsity=0.5)),
    "no amount": (ValueError, lambda: sw.erk("mlp:4-3-2")),
    "too many weights": (ValueError, lambda: sw.allocate("mlp:4-3-2", weights=10**6)),
    "weights overflow": (ValueError, lambda: sw.allocate("mlp:4-3-2", weights=2**80)),
    "negative density": (ValueError, lambda: sw.allocate("mlp:4-3-2", density=-0.1)),
    "unknown layer": (ValueError, lambda: sw.allocate("mlp:4-3-2", density=0.5, keep={"fc": 0.1})),
    "unknown rule": (ValueError, lambda: sw.allocate("mlp:4-3-2", density=0.5, rule="other")),
    "architecture": (ValueError, lambda: sw.allocate("vgg", density=0.5)),
    "shapes": (TypeError, lambda: sw.allocate([(3, 4)], density=0.5)),  # type: ignore[arg-type]
    "shape": (TypeError, lambda: sw.allocate({"a": 3}, density=0.5)),
    "size": (ValueError, lambda: sw.allocate({"a": (3, -4)}, density=0.5)),
    "no layers": (ValueError, lambda: sw.allocate({}, density=0.5)),
    "pattern": (ValueError, lambda: sw.draw_masks("mlp:4-3-2", density=0.5, pattern="other")),
    "fan-in": (ValueError, lambda: sw.draw_masks("mlp:4-3-2", density=0.5, fan_in="other")),
    "no file": (ValueError, lambda: sw.load_masks("no/such.npz")),
    "ending": (ValueError, lambda: sw.save_masks("masks.pt", {"a": np.ones((2, 2))})),
    "no masks": (ValueError, lambda: sw.save_masks("masks.npz", {})),
    "no folder": (OSError, lambda: sw.save_masks("no/such/masks.npz", {"a": np.ones((2, 2))})),
    "one layer twice": (ValueError, lambda: sw.save_masks("m.npz", {"a.weight": X > 0, "a.weight_mask": X > 0})),
    "one layer, two names": (ValueError, lambda: sw.save_masks("m.npz", {"a": X > 0, "a.weight": X > 0})),
    "mask number": (TypeError, lambda: sw.save_masks("m.npz", cast(Any, {1: X > 0}))),
    "mask path": (TypeError, lambda: sw.load_masks(cast(Any, None))),
    "keep text": (TypeError, lambda: sw.allocate("mlp:4-3-2", density=0.5, keep=cast(Any, {"layer0.weight": "x"}))),
    "keep number": (TypeError, lambda: sw.allocate("mlp:4-3-2", density=0.5, keep=cast(Any, {0: 0.5}))),
    "dense None": (TypeError, lambda: sw.allocate("mlp:4-3-2", density=0.5, dense=cast(Any, None))),
    "dense text": (TypeError, lambda: sw.allocate("mlp:4-3-2", density=0.5, dense="layer0.weight")),
    "power None": (TypeError, lambda: sw.erk("mlp:4-3-2", density=0.5, power=cast(Any, None))),
    "power text": (TypeError, lambda: sw.er("mlp:4-3-2", density=0.5, power=cast(Any, "1"))),
    "shapes None": (TypeError, lambda: sw.shapes(cast(Any, None))),
    "shapes empty": (ValueError, lambda: sw.shapes("")),
    "samples fraction": (ValueError, lambda: sw.monte_carlo_kernel(X, width=8, n_samples=cast(Any, 2.5))),
    "samples None": (TypeError, lambda: sw.monte_carlo_kernel(X, width=8, n_samples=cast(Any, None))),
    "samples empty": (ValueError, lambda: sw.monte_carlo_kernel(X, width=8, n_samples=[])),
    "samples of fractions": (ValueError, lambda: sw.monte_carlo_kernel(X, width=8, n_samples=cast(Any, [2.5]))),
    "kernels in no list": (ValueError, lambda: sw.kernel(X, get=cast(Any, []))),
    "data": (ValueError, lambda: sw.load_data("no such data")),
    "data None": (TypeError, lambda: sw.load_data(cast(Any, None))),
    "data empty": (ValueError, lambda: sw.load_data("")),
    "data seed": (ValueError, lambda: sw.load_data("gaussian:3,4", seed=-1)),
    "data seed text": (TypeError, lambda: sw.load_data("gaussian:3,4", seed=cast(Any, "1"))),
    "data seed size": (ValueError, lambda: sw.load_data("gaussian:3,4", seed=2**64)),
    "records None": (TypeError, lambda: sw.load_records(cast(Any, None))),
    "records empty": (ValueError, lambda: sw.load_records("")),
    # 25 million million numbers: more than addresses reach.
    "huge kernel": (MemoryError, lambda: sw.kernel(MANY)),
    "huge kernel of two": (MemoryError, lambda: sw.kernel(MANY, MANY, connectivity=0.5)),
    "huge drawn kernel": (MemoryError, lambda: sw.monte_carlo_kernel(MANY, width=8)),
    "huge regression": (MemoryError, lambda: sw.KernelRidge(np.broadcast_to(1.0, (5_000_000,) * 2), MANY)),
    "huge masks": (MemoryError, lambda: sw.draw_masks({"a": (2**24, 2**24)}, weights=5)),
    "huge data": (MemoryError, lambda: sw.load_data("gaussian:10000000,10000000")),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_refused(name: str) -> None:
    kind, call = WRONG[name]
    with pytest.raises(kind) as caught:
        call()
    # What is wrong, and what to do; NumPy and the system word their own.
    assert kind is OSError or name == "ragged" or (":" in str(caught.value) and ";" in str(caught.value)), caught.value


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "call, megabytes",
    [
        ("sw.kernel(x)", 300),
        ("sw.monte_carlo_kernel(x, width=8)", 1500),
        ("sw.draw_masks({'a': (5000, 10000)}, weights=9)", 460),
    ],
)
def test_a_process_survives_what_does_not_fit(call: str, megabytes: int) -> None:
    # As much as the arrays themselves, so that threads would find no room.
    code = (
        "import numpy as np, resource, sparsewidth as sw\n"
        "x = np.ones((6000, 2)) + np.arange(6000)[:, None]\n"
        "sw.kernel(x[:5])\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 10**6,) * 2)\n"
        "try:\n"
        f"    {call}\n"
        "except MemoryError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "GB, more than there is; give " in done.stdout


def resident() -> int:
    """Memory in use, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_repeated_calls_keep_no_memory() -> None:
    x = RNG.standard_normal((300, 50))

    def calls(count: int) -> None:
        for _ in range(count):
            sw.kernel(x)
            with pytest.raises(ValueError):
                sw.kernel(x, connectivity=2.0)

    calls(60)
    before = resident()
    calls(300)
    # A matrix is 0.7 MB: 300 of them that leak would be 216 MB.
    assert resident() - before < 50e6


def test_an_interrupt_stops_within_a_second() -> None:
    code = (
        "import numpy as np, sparsewidth as sw, sys\n"
        "x = np.random.default_rng(0).standard_normal((400, 300))\n"
        "print('begun', flush=True)\n"
        "sw.kernel(x, connectivity=0.1, tolerance=1e-9)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    time.sleep(0.5)
    begun = time.perf_counter()
    process.send_signal(2)
    _, error = process.communicate(timeout=60)
    seconds = time.perf_counter() - begun
    assert "KeyboardInterrupt" in error
    # Within a second for the call, and some for the interpreter's end on a busy machine.
    assert seconds < 5


def test_other_python_threads_run_meanwhile() -> None:
    steps: list[float] = []
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            steps.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    sw.kernel(RNG.standard_normal((40, 100)), connectivity=0.2)
    done.set()
    thread.join()
    # Had the lock been held, there would be one step or two.
    assert len(steps) > 10


def test_importing_takes_neither_torch_nor_matplotlib() -> None:
    code = "import sparsewidth, sys; print([name for name in ('torch', 'matplotlib', 'tqdm') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found == "[]\n"


def test_parts_are_imported_when_they_are_asked_for() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['torch'] = None\n"
        "import sparsewidth as sw\n"
        "assert {'plot', 'torch', 'kernel'} <= set(dir(sw)) and not hasattr(sw, 'other')\n"
        "for name in ('plot', 'torch'):\n"
        "    try:\n"
        "        getattr(sw, name)\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install matplotlib" in done.stdout and "pip install torch" in done.stdout
    pytest.importorskip("matplotlib")
    assert sw.plot.__name__ == "sparsewidth.plot"
