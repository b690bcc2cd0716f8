"""Charts of what was searched: connectivities and learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ._axis import Range
from ._chart import chart
from ._layout import finish
from ._networks import FAMILIES, best_accuracies, budget_of, epoch_words, evaluated_on, layers_of, sample_words
from ._records import (
    Record,
    check_report,
    expect,
    field_of,
    needed,
    normalisation_words,
    number_of,
    one_of,
    rows_of,
    width_of,
)
from ._series import Point, Series, around
from ._style import LARGE, SMALL, counted, figure_of, new_axes, two_digits


def heatmap(
    records: Sequence[Record],
    *,
    activation: str | None = None,
    width: str | float = "column",
    ax: Axes | None = None,
) -> Axes:
    """Best accuracy in percent over width, and so overall connectivity, and connectivity of the last layer.

    Parameters
    ----------
    records
        Of ``heatmap``: dicts of kind ``"training"``.
    activation
        ``"relu"`` or ``"linear"``. If None, that of the first record.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        With the numbers as ``ax.images[0].get_array()``. The largest is starred; cells without a run are white.

    Raises
    ------
    ValueError
        Where no run, or none of that activation, is among the records.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> run = {"kind": "training", "family": "sparse", "activation": "relu", "connectivity": 0.5, "dimension": 20}
    >>> records = [
    ...     {**run, "width": n, "last_connectivity": last, "best_accuracy": accuracy}
    ...     for n, last, accuracy in ((4, 1.0, 0.9), (8, 1.0, 0.95), (4, 0.5, 0.8))
    ... ]
    >>> plot.heatmap(records).images[0].get_array().tolist()
    [[90.0, 95.0], [80.0, None]]
    """
    rows = expect(rows_of(records, "training runs"), "training")
    known = list(dict.fromkeys(str(run.get("activation", "relu")) for run in rows))
    activation = known[0] if activation is None else one_of("activation", activation, known)
    runs = [run for run in rows if run.get("activation", "relu") == activation]
    first = runs[0]
    # Of all activations, so that their maps have the same cells.
    widths = sorted({width_of(run) for run in rows})
    last = sorted({layers_of(run)[-1].connectivity for run in rows}, reverse=True)
    cells, diverged = _cells(runs, widths, last)
    axes, height = new_axes(ax, width)
    axes.grid(False)
    values = cells[np.isfinite(cells)]
    low, high = (Range(sorted(values), 0.1).low, float(values.max())) if len(values) else (0.0, 1.0)
    room = max(0.1 - (high - low) / 2.0, 0.0)
    image = axes.imshow(
        cells,
        cmap="viridis",
        vmin=low - room,
        vmax=high + room,
        aspect="auto",
        interpolation="none",
    )
    size = min(SMALL, 72.0 * 0.75 * figure_of(axes).get_size_inches()[0] / len(widths) / 3.2)
    for row, column in zip(*np.nonzero(np.isfinite(cells))):
        red, green, blue, _ = image.cmap(image.norm(cells[row, column]))
        ink = "black" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.55 else "white"
        star = "★" if cells[row, column] == values.max() else ""
        axes.text(column, row, f"{cells[row, column]:.1f}{star}", ha="center", va="center", color=ink, fontsize=size)
    for column, row in diverged:
        axes.text(column, row, "div.", ha="center", va="center", fontsize=size)
    weights = budget_of(first)
    across = [weights / ((needed(first, "dimension") + layers_of(first)[-1].width) * units) for units in widths]
    axes.set_xticks(
        range(len(widths)), [f"{two_digits(p)}\n{units}" for p, units in zip(across, widths)], fontsize=size
    )
    axes.set_yticks(range(len(last)), [f"{connectivity:.4g}" for connectivity in last], fontsize=SMALL)
    axes.set_xlabel("overall connectivity, and width", fontsize=LARGE, labelpad=2.0)
    axes.set_ylabel("connectivity of the last layer", fontsize=LARGE, labelpad=2.0)
    notes = [
        f"★: the best. {'div.: every run diverged.' if diverged else ''}" if len(values) else "Every run diverged."
    ]
    if len(values):
        scale = axes.inset_axes((1.03, 0.0, 0.035, 1.0))
        bar = figure_of(axes).colorbar(image, cax=scale, ticks=[low - room, high + room])
        bar.outline.set_visible(False)
        least = "≤ " if low > values.min() else ""
        scale.set_yticklabels([f"{least}{low - room:.1f}", f"{high + room:.1f}"], fontsize=SMALL)
        scale.tick_params(length=0.0, pad=2.0)
    name = {"relu": "ReLU"}.get(activation, activation)
    words = [f"Best {evaluated_on(first)} accuracy in %", name, f"{weights} weights"]
    finish(axes, height, ", ".join([*words, *sample_words(first), *epoch_words(first)]), notes)
    return axes


def _cells(
    runs: Sequence[Record], widths: Sequence[int], last: Sequence[float]
) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """The mean best accuracies in percent, NaN where there is none; and where every run diverged."""
    cells = np.full((len(last), len(widths)), np.nan)
    diverged = []
    for row, connectivity in enumerate(last):
        for column, units in enumerate(widths):
            here = [run for run in runs if width_of(run) == units and layers_of(run)[-1].connectivity == connectivity]
            found = best_accuracies(here)
            if found:
                cells[row, column] = 100.0 * float(np.mean(found))
            elif here:
                diverged.append((column, row))
    return cells, diverged


def tune(
    report: Mapping[str, Any] | Sequence[Record], *, width: str | float = "column", ax: Axes | None = None
) -> Axes:
    """Validation error against learning rate: solid, the rates that were trained to the end; dashed, the first stage.

    Parameters
    ----------
    report
        ``tune.json`` as a dict, or what ``tune`` returned: a dict for each rate that was tried.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic. Error bars are two standard errors over runs; a run that diverged has error 1.

    Raises
    ------
    ValueError
        Where no rate was tried, or it is another report.
    TypeError
        Where ``report`` is neither a dict nor a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> tried = {"architecture": "relu:8 linear:10", "stage": 0, "epochs": 2, "standard_error": 0.01}
    >>> trials = [{**tried, "learning_rate": rate, "error": error} for rate, error in ((1.0, 0.2), (2.0, 0.1))]
    >>> plot.tune(trials).lines[0].get_ydata().tolist()
    [0.2, 0.1]
    """
    if isinstance(report, Mapping):
        tried = rows_of(check_report(report, ["tried"], "tune")["tried"], "learning rates that were tried")
        spec = report.get("spec", {}).get("training", {})
    else:
        tried, spec = rows_of(report, "learning rates that were tried"), {}
    # A network by itself or as fields of the trial.
    trials = [{**trial, **trial["network"]} if isinstance(trial.get("network"), Mapping) else trial for trial in tried]
    for trial in trials:
        for name in ("architecture", "learning_rate", "error", "stage"):
            field_of(trial, name)
    last = max(int(trial["stage"]) for trial in trials)
    networks: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in trials:
        networks.setdefault((str(trial.get("family", "sparse")), str(trial["architecture"])), []).append(trial)
    series = []
    for style, ((family, _), of) in enumerate(networks.items()):
        *before, hidden, _ = layers_of(of[0])
        name = f"{FAMILIES.get(family, (family,))[0]} {hidden.width}"
        name += "".join(f" after {layer.width}" for layer in before)
        for stage, line in ((last, "-"), (0, "--"))[: 1 + min(last, 1)]:
            here = [trial for trial in of if int(trial["stage"]) == stage]
            points = []
            for trial in sorted(here, key=lambda trial: float(trial["learning_rate"])):
                rate, error, spread = (number_of(trial, name) for name in ("learning_rate", "error", "standard_error"))
                y = math.nan if error is None else error
                known = None if spread is None else around(rate or math.nan, y, 2.0 * spread)
                points.append(known or Point(rate or math.nan, y, unknown=line == "-"))
            if points:
                epochs = counted(int(number_of(here[0], "epochs") or 0), "epoch")
                series.append(Series(f"{name}, {epochs}", style, points, line, marked=line == "-"))
    words = [normalisation_words(spec)] if "normalisation" in spec else []
    return chart(
        ax,
        width,
        series,
        title=", ".join(["Learning rates: validation error", *words, *epoch_words(spec)]),
        x_label="learning rate",
        y_label="validation error",
        x_ticks=[float(trial["learning_rate"]) for trial in trials if int(trial["stage"]) == 0],
        log=True,
        shares=True,
        note="Means over runs, error bars: two standard errors. Diverged runs have error 1.",
    )
