"""Charts of ways to widen at a fixed budget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ._chart import chart
from ._distances import distance_point
from ._networks import (
    WAYS,
    accuracies_of,
    are_alike,
    best_accuracies,
    evaluated_on,
    layers_of,
    networks_of,
    training_words,
)
from ._records import Record, expect, method_of, normalisation_words, number_of, one_of, rows_of, width_of
from ._series import Series, level, mean_points, xs_of


def widen(
    records: Sequence[Record], *, show: str = "accuracy", width: str | float = "column", ax: Axes | None = None
) -> Axes:
    """The ways to widen at a fixed budget: accuracy, or kernel distance at initialisation, against width.

    Parameters
    ----------
    records
        Of ``widen``: dicts of kind ``"training"`` and ``"distance"``.
    show
        ``"accuracy"``: means over runs with 95 % intervals. ``"distance"``: relative to the mean square of the
        infinite-width kernel, of drawn networks with 95 % intervals over initialisations, and by theory, dashed.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Linear for accuracies, logarithmic for distances.

    Raises
    ------
    ValueError
        Where there is no run, or no distance.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> run = {"kind": "training", "width": 8, "connectivity": 1.0, "best_accuracy": 0.8}
    >>> records = [
    ...     {**run, "family": "sparse", "architecture": "relu:8 linear:10"},
    ...     {**run, "family": "linear_bottleneck", "architecture": "linear:4 relu:16 linear:10", "width": 16},
    ... ]
    >>> [line.get_label() for line in plot.widen(records).lines[:3:2]]
    ['sparse', 'linear bottleneck']
    """
    one_of("show", show, ["accuracy", "distance"])
    rows = rows_of(records, "training runs")
    run = expect(rows, "training")[0]
    if show == "distance":
        return _widen_distance(rows, width, ax)
    series = []
    for way, (label, style) in WAYS.items():
        points = mean_points(accuracies_of(rows, way))
        if points:
            series.append(Series(label, style, points))
    ticks = xs_of(series)
    bases = [
        runs
        for runs in networks_of(rows)
        if runs[0]["family"] == "sparse" and runs[0].get("activation", "relu") == "relu"
        if number_of(runs[0], "connectivity") == 1.0
    ]
    for runs in bases[:1]:
        found = best_accuracies(runs)
        if found and len(ticks) > 1:
            ends = ticks[0], ticks[-1]
            series.append(level(f"dense, width {width_of(runs[0])}", 4, ends, float(np.mean(found))))
    return chart(
        ax,
        width,
        series,
        title=f"Ways to widen at a fixed number of weights: {', '.join(training_words(run))}",
        x_label="width of the last hidden layer",
        y_label=f"best {evaluated_on(run)} accuracy",
        x_ticks=ticks,
        shares=True,
    )


def _widen_distance(rows: Sequence[Record], width: str | float, ax: Axes | None) -> Axes:
    found = expect(rows, "distance")
    series = []
    for way, (label, style) in WAYS.items():
        hidden = [layers_of(runs[0])[:-1] for runs in networks_of(rows) if runs[0]["family"] == way]
        for method, of, line in (("sampled", "sampled", ""), ("theorem1", "theory", "--")):
            points = []
            for layers in hidden:
                for row in found:
                    unit = number_of(row, "reference_square")
                    if method_of(row) == method and are_alike(layers_of(row), layers) and unit:
                        point = distance_point(row, "mean")
                        assert point is not None
                        ends = point.interval if method == "sampled" else None
                        interval = (ends[0] / unit, ends[1] / unit) if ends else None
                        points.append(point._replace(y=point.y / unit, interval=interval))
                        break
            if points:
                series.append(Series(f"{label}, {of}", style, sorted(points), line, marked=not line))
    if not series:
        raise ValueError("records: expected distances of the trained networks, found none; use show = 'accuracy'")
    return chart(
        ax,
        width,
        series,
        title=f"Kernel distance at initialisation, {normalisation_words(found[0])}",
        x_label="width of the last hidden layer",
        y_label="mean squared distance / mean squared infinite-width kernel",
        x_ticks=xs_of(series),
        log=True,
    )
