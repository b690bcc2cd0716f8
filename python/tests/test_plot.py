"""The charts: what they draw is what the records say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed: no chart can be drawn")
matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import sparsewidth as sw
from sparsewidth import plot
from sparsewidth.plot._chart import UNKNOWN
from sparsewidth.plot._predictions import LEAVE_ONE_OUT
from sparsewidth.plot._records import METHODS, OLDER
from sparsewidth.plot._series import t_quantile
from sparsewidth.plot._style import PALETTE

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "testdata" / "records"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def read(path: str) -> Any:
    file = RECORDS / path
    if not file.exists():
        pytest.skip(f"{file} is not there: these tests read the records of the repository")
    text = file.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if file.suffix == ".jsonl" else json.loads(text)


def line(ax: Axes, label: str) -> Any:
    """The line of a series by its name in the legend."""
    found = [line for side in ax.figure.axes for line in side.lines if line.get_label() == label]
    assert len(found) == 1, [line.get_label() for side in ax.figure.axes for line in side.lines]
    return found[0]


def values(ax: Axes, label: str) -> list[list[float]]:
    of = line(ax, label)
    return [np.asarray(data, dtype=float).tolist() for data in (of.get_xdata(), of.get_ydata())]


def bars(ax: Axes, x: float) -> list[tuple[float, float]]:
    """The ends of the error bars at an abscissa."""
    found = [bars for bars in ax.collections if isinstance(bars, LineCollection)]
    segments = [segment for bars in found for segment in bars.get_segments()]
    return [(segment[0][1], segment[1][1]) for segment in segments if segment[0][0] == x]


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text().replace("\n", " ") for text in box.get_texts()]


def words(ax: Axes) -> str:
    return " ".join(text.get_text() for text in ax.texts).replace("\n", " ")


def title(ax: Axes) -> str:
    return ax.get_title(loc="left").replace("\n", " ")


def heights(ax: Axes) -> list[float]:
    return [bar.get_height() for bar in ax.patches if isinstance(bar, Rectangle)]


def figure_of(ax: Axes) -> Figure:
    assert isinstance(ax.figure, Figure)
    return ax.figure


def inches(ax: Axes) -> float:
    return float(figure_of(ax).get_size_inches()[0])


def is_tidy(ax: Any) -> None:
    """Nothing is cut off, no two labels of an axis overlap, and legend, notes and axes are apart."""
    figure = ax.figure
    figure.draw_without_rendering()
    page = figure.bbox
    boxes = [side.get_tightbbox() for side in figure.axes]
    for box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1, (box, page)
    title = ax.title if ax.get_title() else ax._left_title
    assert title.get_window_extent().x1 <= page.x1 + 1
    for axis in (ax.xaxis, ax.yaxis):
        shown = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
        low, high = (ax.bbox.x0, ax.bbox.x1) if axis is ax.xaxis else (ax.bbox.y0, ax.bbox.y1)
        middles = [(box.x0 + box.x1 if axis is ax.xaxis else box.y0 + box.y1) / 2 for box in shown]
        shown = [box for box, middle in zip(shown, middles) if low - 1 <= middle <= high + 1]
        for place, box in enumerate(shown):
            assert not any(box.overlaps(other) for other in shown[place + 1 :])
    if ax.get_legend() is not None:
        below = [ax.get_legend().get_window_extent(), ax.xaxis.get_tightbbox(), ax.bbox]
        below += [text.get_window_extent() for text in ax.texts]
        for place, box in enumerate(below):
            assert not any(box.shrunk(0.98, 0.98).overlaps(other.shrunk(0.98, 0.98)) for other in below[place + 1 :])


def test_distances_are_those_of_the_records() -> None:
    records = read("1/figure/records.jsonl")
    ax = plot.distance(records)
    assert isinstance(ax, Axes) and ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlabel() == "width"
    assert ax.get_ylabel().replace("\n", " ") == "mean squared distance to the infinite-width kernel"
    of_title = "Kernel distance, mean over pairs, pixel normalisation, Bernoulli masks, Gaussian weights"
    assert title(ax) == of_title
    for method, (label, style) in METHODS.items():
        own = [
            row for row in records if row.get("method") in (method, *of_old(method)) and row["normalisation"] == "pixel"
        ]
        own.sort(key=lambda row: row["width"])
        if own:
            assert values(ax, label) == [[row["width"] for row in own], [row["mean"] for row in own]], method
            assert to_hex(line(ax, label).get_color()) == PALETTE[style]
    sampled = [row for row in records if row.get("method") == "sampled" and row["normalisation"] == "pixel"]
    for row in sampled:
        assert (row["mean_low"], row["mean_high"]) in bars(ax, row["width"])
    assert "Error bars of distances" in words(ax)
    # The test error on the right, of the sparse family.
    runs = [row for row in records if row["kind"] == "training" and row["family"] == "sparse" and row["width"] == 216]
    errors = [1 - run["best_accuracy"] for run in runs]
    widths, drawn = values(ax, "test error (pixel normalisation)")
    assert drawn[widths.index(216)] == pytest.approx(np.mean(errors), rel=1e-12)
    right = ax.figure.axes[-1]
    assert (
        right.get_yscale() == "linear" and right.get_ylabel().replace("\n", " ") == "test error of the sparse networks"
    )
    # Student's t at one degree of freedom.
    reach = 12.706204736 * np.std(errors, ddof=1) / math.sqrt(2)
    (bar,) = bars(right, 216)
    assert bar == pytest.approx((np.mean(errors) - reach, np.mean(errors) + reach), rel=1e-8)
    is_tidy(ax)


def of_old(method: str) -> list[str]:
    return [old for old, new in OLDER.items() if new == method]


def test_normalisation_kernel_and_statistic_are_chosen() -> None:
    records = read("1/figure/records.jsonl")
    of_global = [row for row in records if row.get("method") == "theorem1" and row["normalisation"] == "global"]
    if of_global:
        ax = plot.distance(records, normalisation="global")
        assert values(ax, "Theorem 1")[1] == [row["mean"] for row in sorted(of_global, key=lambda row: row["width"])]
        assert "global normalisation" in title(ax)
    ax = plot.distance(records, statistic="median")
    own = [row for row in records if row.get("method") == "sampled" and row["normalisation"] == "pixel"]
    assert values(ax, "sampled networks")[1] == [row["median_corrected"] for row in own]
    assert (own[0]["median_low"], own[0]["median_high"]) in bars(ax, own[0]["width"])
    as_ntk = [{**row, "kernel": "ntk", "tangent": "paper"} for row in records if row["kind"] == "distance"]
    both = [{**row, "mean": 2 * row["mean"]} for row in as_ntk] + records
    assert title(plot.distance(both)).startswith("Kernel distance")
    ax = plot.distance(both, get="ntk")
    assert title(ax).startswith("Tangent kernel (tau = p) distance")
    assert values(ax, "sampled networks")[1] == [2 * row["mean"] for row in own]
    with pytest.raises(ValueError, match="tangent = 'standardised'.*the records have.*choose one"):
        plot.distance(both, get="ntk", tangent="standardised")
    with pytest.raises(ValueError, match="normalisation = 'none': the records have 'pixel'"):
        plot.distance(records, normalisation="none")


def test_intervals_that_nobody_knows_are_hollow_and_said() -> None:
    record = {"kind": "distance", "width": 8, "connectivity": 1.0, "dimension": 100, "mean": 0.1, "samples": 4}
    sampled = {**record, "method": "sampled", "architecture": "relu:8", "mean_error_samples": 0.01}
    known = plot.distance([sampled])
    # Student's t at three degrees of freedom.
    assert bars(known, 8) == [pytest.approx((0.1 - 3.182446305 * 0.01, 0.1 + 3.182446305 * 0.01), rel=1e-8)]
    assert UNKNOWN not in legend(known)
    # Two weights are left: their error says nothing.
    few = plot.distance([sampled, {**sampled, "width": 635, "architecture": "relu:635@4e-6"}])
    assert UNKNOWN in legend(few) and bars(few, 635) == [] and len(bars(few, 8)) == 1
    hollow = [line for line in few.lines if line.get_markerfacecolor() == "white"]
    assert [np.asarray(line.get_xdata()).tolist() for line in hollow] == [[635]]
    # Theory has an error that is no interval, and Eq. (4) has none at all.
    exact = [{**record, "samples": 0, "method": method} for method in ("theorem1", "paper")]
    assert UNKNOWN not in legend(plot.distance(exact))
    # One run.
    run = {"kind": "training", "family": "sparse", "width": 8, "connectivity": 1.0, "last_connectivity": 1.0}
    assert UNKNOWN in legend(plot.training([{**run, "best_accuracy": 0.9}]))
    assert UNKNOWN not in legend(plot.training([{**run, "best_accuracy": 0.9}, {**run, "best_accuracy": 0.8}]))


def test_students_t() -> None:
    table = {1: 12.706204736, 2: 4.302652730, 5: 2.570581836, 9: 2.262157163, 30: 2.042272456, 1000: 1.962339080}
    for degrees, value in {**table, 10**6: 1.959966356}.items():
        assert t_quantile(degrees) == pytest.approx(value, rel=1e-8), degrees


def test_far_points_are_beyond_the_axis_and_named() -> None:
    errors = {8: 0.14, 32: 0.113, 128: 0.108, 216: 0.107, 328: 0.112, 512: 0.124, 635: 0.827}
    run = {"kind": "training", "family": "sparse", "last_connectivity": 1.0, "connectivity": 0.5}
    ax = plot.training([{**run, "width": width, "best_accuracy": 1 - error} for width, error in errors.items()])
    low, high = ax.get_ylim()
    assert low > 0.8 and high < 0.95
    assert "Beyond the axis: sparse, 0.173 at 635." in words(ax)
    # All are in the line, which leaves the frame.
    assert len(values(ax, "sparse")[1]) == 7
    is_tidy(ax)


def test_the_parts_add_up() -> None:
    records = read("1/figure/records.jsonl")
    ax = plot.bias_and_variance(records)
    own = [row for row in records if row.get("method") == "theorem1" and row["normalisation"] == "pixel"]
    widths, variance = values(ax, "variance / n, Theorem 1")
    assert widths == [row["width"] for row in own]
    assert variance == [row["variance"] / row["width"] for row in own]
    positive = [row["bias_squared"] for row in own if row["bias_squared"] > 0]
    assert values(ax, "bias², Theorem 1")[1] == positive
    # A dense network has no bias, which a logarithmic axis cannot show.
    assert "the axis is logarithmic and they are not above 0: bias², Theorem 1 at 8" in words(ax)
    assert "mostly noise: sampled networks" in words(ax)
    assert ax.get_yscale() == "log" and ax.get_ylabel() == "mean over pairs"
    is_tidy(ax)


def test_accuracies() -> None:
    records = read("1/figure/records.jsonl")
    ax = plot.training(records)
    runs = [row for row in records if row["kind"] == "training"]
    for row in runs:
        own = [run["best_accuracy"] for run in runs if run["width"] == row["width"]]
        widths, drawn = values(ax, "sparse, fixed number of weights")
        assert drawn[widths.index(row["width"])] == pytest.approx(np.mean(own), rel=1e-12)
    level = np.mean([run["best_accuracy"] for run in runs if run["width"] == 8])
    assert values(ax, "dense, width 8") == [[8, 216], [level, level]]
    assert ax.get_yscale() == "linear" and ax.get_ylabel() == "best test accuracy"
    is_tidy(ax)
    dense = read("1/train/records.jsonl")
    widths, drawn = values(plot.training(dense), "dense, every weight")
    assert widths == [8, 32] and drawn[0] == pytest.approx(np.mean([run["best_accuracy"] for run in dense[:2]]))


def test_losses() -> None:
    records = read("1/figure/records.jsonl")
    ax = plot.curves(records)
    runs = [row for row in records if row["kind"] == "training" and row["width"] == 216]
    for label, name in (("sparse 216, test", "test_loss"), ("sparse 216, training", "training_loss")):
        losses = np.mean([run["curve"][name] for run in runs], axis=0)
        assert values(ax, label) == [[1, 2], pytest.approx(losses.tolist())]
    assert ax.get_yscale() == "log" and ax.get_xlabel() == "epoch"
    is_tidy(ax)
    bad = [{**run, "diverged": run["run"] == 0} for run in runs]
    ax = plot.curves(bad)
    assert values(ax, "sparse 216, test")[1] == runs[1]["curve"]["test_loss"]
    assert "Left out, as they diverged: sparse 216, 1 of 2 runs." in words(ax)


def test_predictions() -> None:
    records = read("1/predict/records.jsonl")
    ax = plot.predictions(records)
    drawn = [row for row in records if row["kind"] == "prediction" and row["source"] == "drawn"]
    for kernel, tangent, label in (
        ("nngp_regression", None, "NNGP regression"),
        ("ntk_regression", "standardised", "NTK (tau = 1) regression"),
    ):
        own = [row for row in drawn if row["predictor"] == kernel and row["tangent"] == tangent]
        assert values(ax, label) == [[row["width"] for row in own], [row["test_error"] for row in own]]
    assert ax.get_yscale() == "log" and "Predicted and trained test error, mnist" in title(ax)
    # Two networks of each width do not tell an interval; three do.
    assert UNKNOWN in legend(ax)
    three = [{**row, "initialisations": 3} for row in drawn]
    ax = plot.predictions(three)
    assert UNKNOWN not in legend(ax)
    row = three[0]
    reach = 4.302652730 * row["spread"] / math.sqrt(3)
    assert (row["test_error"] - reach, row["test_error"] + reach) in [
        pytest.approx(bar, rel=1e-8) for bar in bars(ax, row["width"])
    ]
    is_tidy(ax)


def test_regrets_are_those_of_the_page() -> None:
    folder = ROOT / "docs" / "predicting"
    files = sorted(folder.glob("*/records.jsonl"))
    if len(files) < 16:
        pytest.skip(f"{folder} has {len(files)} of 16 settings: this test compares with docs/predicting.md")
    settings = {file.parent.name: [json.loads(text) for text in file.read_text().splitlines()] for file in files}
    ax = plot.regret(settings)
    assert values(ax, "NNGP regression")[0] == [3176, 6352, 12704, 25408]
    # Points of accuracy, of docs/predicting.md.
    page = {
        LEAVE_ONE_OUT: 0.06,
        "NNGP distance, mean": 0.26,
        "Eq. (4)": 0.18,
        "16 times the narrowest": 0.19,
        "NNGP regression": 0.48,
    }
    for name, mean in page.items():
        assert 100 * np.mean(values(ax, name)[1]) == pytest.approx(mean, abs=0.0051), name
    is_tidy(ax)
    with pytest.raises(ValueError, match="two or more budgets, found 1"):
        plot.regret([settings["mnist-full-pixel-6352"]])
    with pytest.raises(TypeError, match="a list of records for each setting"):
        plot.regret(settings["mnist-full-pixel-6352"])


def test_optimum() -> None:
    report = read("1/optimum/optimum.json")
    ax = plot.optimum(report)
    widths = [row["width"] for row in report["curve"]]
    assert values(ax, "Theorem 1, falls to the end") == [widths, [row["theorem1"] for row in report["curve"]]]
    assert values(ax, "second-order expansion")[1] == [row["moments"] for row in report["curve"]]
    marks = [line for line in ax.lines if str(line.get_label()).startswith("_mark")]
    ends = [(one["at"]["width"], one["at"][one["method"]]) for one in report["optima"][1:3]]
    assert [tuple(float(np.asarray(data)[0]) for data in line.get_data()) for line in marks] == ends
    assert ax.get_yscale() == "log" and not any(text.startswith("_") for text in legend(ax))
    is_tidy(ax)


def test_predicted_optimum() -> None:
    curve = [
        {"width": width, "error": error, "excess_error": 0.01} for width, error in ((8, 0.2), (64, 0.1), (256, 0.15))
    ]
    by = {"kernel": "ntk", "tangent": "standardised", "weights": 6352, "normalisation": "pixel", "initialisations": 3}
    ax = plot.optimum({"by": by, "width": 64, "curve": curve})
    assert values(ax, "NTK (tau = 1) regression, 3 drawn networks") == [[8, 64, 256], [0.2, 0.1, 0.15]]
    assert bars(ax, 8) == [pytest.approx((0.18, 0.22))] and bars(ax, 64) == []
    assert ax.get_yscale() == "linear" and "two standard errors of the difference" in words(ax)
    is_tidy(ax)
    ax = plot.optimum({"by": by, "width": 64, "interval": [20, 200], "alike": [8, 256], "curve": curve})
    marks = [line for line in ax.lines if str(line.get_label()).startswith("_mark")]
    assert [np.asarray(mark.get_data()).ravel().tolist() for mark in marks] == [[64, 0.1]]
    said = "the least error, at width 64. 95 % interval of the best width (shaded): 20 to 200. Alike (bar below): 8 to 256."
    assert said in words(ax)
    [shaded] = ax.patches
    ends = shaded.get_patch_transform().transform(np.asarray(shaded.get_path().vertices))[:, 0]
    assert (ends.min(), ends.max()) == (20, 200)
    assert any(np.asarray(line.get_xdata()).tolist() == [8, 256] for line in ax.lines)
    is_tidy(ax)


def test_verification() -> None:
    report = read("1/verify/verify.json")
    cells = report["cells"]
    ax = plot.verification(report)
    tested = [cell for cell in cells if abs(cell["checks"][1]["skewness"]) <= 0.2]
    checks = [cell["checks"][1] for cell in tested]
    z = [(check["estimate"] - check["theory"]) / check["standard_error"] for check in checks]
    assert values(ax, "variance") == [[cell["connectivity"] * 100 for cell in tested], z]
    assert ax.get_yscale() == "linear" and "too skewed for a test: variance of 1 cell" in words(ax)
    is_tidy(ax)
    ax = plot.verification(report, show="values")
    assert values(ax, "mean")[1] == [cell["checks"][0]["estimate"] for cell in cells]
    check = cells[0]["checks"][0]
    reach = 2 * check["standard_error"]
    assert bars(ax, check["theory"])[0] == pytest.approx((check["estimate"] - reach, check["estimate"] + reach))
    assert ax.get_xscale() == ax.get_yscale() == "log"
    is_tidy(ax)
    ax = plot.verification(report, show="paper")
    assert values(ax, "Eq. (4), d = 100")[1] == [sum(point["paper"]) for point in report["paper"]]
    assert values(ax, "Theorem 1, gaussian:100,40")[1] == [sum(point["exact"]) for point in report["paper"]]
    is_tidy(ax)
    with pytest.raises(ValueError, match="show = 'paper'.*no values of Eq"):
        plot.verification({**report, "paper": []}, show="paper")


def test_masks() -> None:
    report = read("1/given/masks.json")
    ax = plot.masks(report)
    record = report["records"][0]
    assert values(ax, "deep") == [[record["density"]], [record["distance"]]]
    for family, label in (("exact_count", "unstructured"), ("constant_fan_in", "constant fan-in")):
        own = [row for row in report["curves"] if (row["kernel"], row["family"]) == ("nngp", family)]
        drawn = values(ax, f"random, {label}, width 20")
        assert drawn == [[row["density"] for row in own], [row["distance"] for row in own]]
    assert "40 random pairs of gaussian:12,30" in title(ax) and ax.get_yscale() == "log"
    is_tidy(ax)
    many = [{**record, "compared_distance": distance} for distance in (1e-3, *np.linspace(0.1, 0.12, 11))]
    ax = plot.masks(many)
    assert ax.get_ylim()[0] < 1e-3 and len(values(ax, "given masks")[1]) == 12 and "Beyond" not in words(ax)
    ax = plot.masks(report["records"], get="ntk")
    assert values(ax, "deep")[1] == [report["records"][1]["distance"]] and title(ax).startswith("Tangent kernel")


def test_budgets() -> None:
    shapes = {"0.weight": (216, 784), "2.weight": np.zeros((10, 216))}
    ax = plot.budget({"0.weight": 4192, "2.weight": 2160}, shapes)
    assert heights(ax) == [169344, 2160, 4192, 2160]
    assert title(ax) == "6352 of 171504 weights kept" and ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_xticklabels()] == list(shapes)
    is_tidy(ax)
    ax = plot.budget({"a": np.array([[True, False], [False, False]]), "b": np.zeros((3, 2), bool)})
    assert heights(ax) == [4, 6, 1, 0]
    assert "Layers without a weight: b." in words(ax)
    with pytest.raises(ValueError, match="shapes: expected one for '0.weight', found none"):
        plot.budget({"0.weight": 3})
    with pytest.raises(TypeError, match="shapes\\['0.weight'\\] = 12: expected a shape"):
        plot.budget({"0.weight": 3}, {"0.weight": 12})


def test_budgets_of_architectures() -> None:
    counts = sw.allocate("resnet18:16", density=0.1)
    ax = plot.budget(counts, "resnet18:16")
    sizes = [math.prod(shape) for shape in sw.shapes("resnet18:16").values()]
    assert heights(ax) == [*sizes, *counts.values()]
    is_tidy(ax)
    # Also at the resolution of a file.
    figure_of(ax).set_dpi(300)
    is_tidy(ax)


@pytest.mark.parametrize(
    "count, kind, problem",
    [
        (2.5, ValueError, "expected a whole number"),
        (math.nan, ValueError, "expected a whole number"),
        (-1, ValueError, "expected 0 to 12"),
        (13, ValueError, "expected 0 to 12"),
        ("3", TypeError, "is a str"),
        (True, TypeError, "is a bool"),
        (None, TypeError, "is a NoneType"),
    ],
)
def test_counts_that_are_none(count: Any, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=f"counts\\['a'\\] = .*: {problem}.*; "):
        plot.budget({"a": count}, {"a": (3, 4)})
    assert heights(plot.budget({"a": np.float64(12)}, {"a": (3, 4)})) == [12, 12]


def test_what_is_left_out_is_said() -> None:
    row = {"kind": "distance", "method": "theorem1", "mean": 0.02, "bias_squared": 0.01, "variance": 0.1}
    records = [
        {**row, "width": width, "kernel": kernel, "normalisation": normalisation}
        for width in (8, 32)
        for kernel in ("nngp", "ntk")
        for normalisation in ("pixel", "none")
    ]
    for chart in (plot.distance, plot.bias_and_variance):
        ax = chart(records)
        assert "Left out: NTK (tau = 1), no normalisation." in words(ax)
        is_tidy(ax)
        # What the call leaves out needs no word.
        assert "Left out" not in words(chart(records, get="ntk", normalisation="pixel"))
    mask = {"file": "m", "density": 0.1, "distance": 3e-3}
    assert "Left out: NTK (tau = p)." in words(plot.masks([mask, {**mask, "kernel": "ntk", "tangent": "paper"}]))
    predicted = {"kind": "prediction", "predictor": "nngp_regression", "source": "drawn", "test_error": 0.3}
    both = [{**predicted, "width": 8, "normalisation": name} for name in ("pixel", "global")]
    assert "Left out: global normalisation." in words(plot.predictions(both))


def test_heat_maps() -> None:
    records = read("1/heatmap/records.jsonl")
    ax = plot.heatmap(records)
    cells = ax.images[0].get_array()
    assert isinstance(cells, np.ma.MaskedArray) and cells.shape == (2, 2)
    widths, last = [5, 40], [1.0, 0.5]
    for run in records:
        place = last.index(run["last_connectivity"]), widths.index(run["width"])
        assert cells[place] == pytest.approx(100 * run["best_accuracy"])
    # The dense network has no sparse last layer at this budget.
    assert cells.mask.sum() == 1 and sum("★" in text.get_text() for text in ax.texts) == 2
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1.00\n5", "0.12\n40"]
    assert "3970 weights" in title(ax) and ax.get_ylabel() == "connectivity of the last layer"
    lost = [{**run, "best_accuracy": None if run["width"] == 5 else run["best_accuracy"]} for run in records]
    assert "div." in [text.get_text() for text in plot.heatmap(lost).texts]


def test_learning_rates() -> None:
    report = read("1/tune/tune.json")
    ax = plot.tune(report)
    last = [trial for trial in report["tried"] if trial["stage"] == 2 and "relu:8/" in trial["network"]["architecture"]]
    rates = [trial["network"]["learning_rate"] for trial in last]
    assert values(ax, "sparse 8, 2 epochs") == [rates, [trial["error"] for trial in last]]
    assert ax.get_xlabel() == "learning rate" and ax.get_yscale() == "log"
    assert UNKNOWN in legend(ax)
    is_tidy(ax)
    flat = [{**trial, **trial["network"], "standard_error": 0.01} for trial in report["tried"]]
    ax = plot.tune(flat)
    assert values(ax, "sparse 8, 2 epochs")[1] == [trial["error"] for trial in last]
    error = last[0]["error"]
    assert pytest.approx((error - 0.02, error + 0.02)) in bars(ax, rates[0])


@pytest.mark.parametrize("schema", ["0", "1"])
def test_ways_to_widen(schema: str) -> None:
    records = read(f"{schema}/widen/records.jsonl")
    ax = plot.widen(records)
    runs = [row for row in records if row["kind"] == "training" and row["family"] == "linear_bottleneck"]
    for width in {run["width"] for run in runs}:
        widths, drawn = values(ax, "linear bottleneck")
        own = [run["best_accuracy"] for run in runs if run["width"] == width]
        assert drawn[widths.index(width)] == pytest.approx(np.mean(own))
    assert ax.get_yscale() == "linear" and "dense, width 8" in legend(ax)
    is_tidy(ax)
    ax = plot.widen(records, show="distance")
    own = [row for row in records if row.get("method") == "sampled" and row["connectivity"] != 1.0]
    widths, drawn = values(ax, "sparse, sampled")
    for row in own:
        assert drawn[widths.index(row["width"])] == row["mean"] / row["reference_square"]
    assert ax.get_yscale() == "log"
    is_tidy(ax)


def test_sizes() -> None:
    records = read("1/figure/records.jsonl")
    assert inches(plot.distance(records)) == pytest.approx(3.3)
    assert inches(plot.distance(records, width="page")) == pytest.approx(6.75)
    assert inches(plot.distance(records, width=5.5)) == pytest.approx(5.5)
    # A long legend does not squeeze the axes.
    for ax in (plot.distance(records), plot.training(records)):
        figure_of(ax).draw_without_rendering()
        assert ax.bbox.height / figure_of(ax).dpi == pytest.approx(1.8, abs=0.03)
    box = plot.distance(records).get_legend()
    assert box is not None and {text.get_fontsize() for text in box.get_texts()} == {7.0}
    with pytest.raises(ValueError, match="width = 'wide': expected 'column', 'page' or a number of inches"):
        plot.distance(records, width="wide")


def test_an_axes_of_ones_own_needs_no_pyplot() -> None:
    figure = Figure(figsize=(6.75, 4.0), layout="constrained")
    axes = figure.subplots(1, 2)
    before = pyplot.get_fignums()
    assert plot.training(read("1/figure/records.jsonl"), ax=axes[0]) is axes[0]
    assert plot.verification(read("1/verify/verify.json"), ax=axes[1]) is axes[1]
    assert pyplot.get_fignums() == before == [] and tuple(figure.get_size_inches()) == (6.75, 4.0)
    with pytest.raises(TypeError, match="ax = .*expected an axes of matplotlib"):
        plot.training(read("1/figure/records.jsonl"), ax=figure)  # type: ignore[arg-type]


def test_data_frames_are_records() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: records as data frames are not tested")
    records = read("1/figure/records.jsonl")
    of_frame = plot.distance(pandas.DataFrame(records))
    of_list = plot.distance(records)
    assert legend(of_frame) == legend(of_list)
    assert values(of_frame, "Theorem 1") == values(of_list, "Theorem 1")


def test_wrong_input_is_named() -> None:
    training = read("1/train/records.jsonl")
    with pytest.raises(ValueError, match="records: expected distances, found none; run the study"):
        plot.distance([])
    with pytest.raises(ValueError, match="found 4 records of kind 'training'; plot.training draws these"):
        plot.distance(training)
    with pytest.raises(ValueError, match="plot.distance or plot.training draws these"):
        plot.predictions(read("1/figure/records.jsonl"))
    with pytest.raises(TypeError, match=r"found a path; pass load_records\('figure'\)"):
        plot.distance("figure")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="found a dict"):
        plot.training(read("1/optimum/optimum.json"))
    with pytest.raises(TypeError, match="expected a list of distances"):
        plot.distance(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="report: expected cells, found spec, .*; pass what verify returned"):
        plot.verification(read("1/optimum/optimum.json"))
    with pytest.raises(TypeError, match="report: expected a dict, found list"):
        plot.optimum(training)
    record = read("1/distance/records.jsonl")[0]
    with pytest.raises(ValueError, match="several networks have width 8"):
        plot.distance([record, record])
    with pytest.raises(ValueError, match="expected a field 'method'"):
        plot.distance([{"kind": "distance", "width": 8}])
    with pytest.raises(ValueError, match="statistic = 'mode': expected 'mean' or 'median'"):
        plot.distance([record], statistic="mode")
    lost = [{**run, "best_accuracy": None} for run in training]
    with pytest.raises(ValueError, match="a finite accuracy, found none"):
        plot.training(lost)
