"""Charts of trained networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ._chart import chart
from ._networks import accuracies_of, curve_of, drawn_words, evaluated_on, networks_of, trained_name, training_words
from ._records import BUDGETS, Record, expect, number_of, rows_of, text_of, width_of
from ._series import Point, Series, level, mean_points
from ._style import counted


def training(records: Sequence[Record], *, width: str | float = "column", ax: Axes | None = None) -> Axes:
    """Best accuracy of trained networks against width: means over runs with 95 % intervals by Student's t.

    Parameters
    ----------
    records
        Of ``train`` or ``figure``: dicts of kind ``"training"``. Networks of other families than the sparse and the
        dense one are left out.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Linear in the accuracy. The dense network of the budget, if it was trained, stands as a level line as well.

    Raises
    ------
    ValueError
        Where no run is among the records, or several networks have one width.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> run = {"kind": "training", "family": "sparse", "last_connectivity": 1.0}
    >>> records = [
    ...     {**run, "width": 8, "connectivity": 1.0, "best_accuracy": 0.86},
    ...     {**run, "width": 64, "connectivity": 0.1, "best_accuracy": 0.89},
    ... ]
    >>> plot.training(records).lines[0].get_ydata().tolist()
    [0.86, 0.89]
    """
    rows = rows_of(records, "training runs")
    run = expect(rows, "training")[0]
    sparse, dense = accuracies_of(rows, "sparse"), accuracies_of(rows, "dense")
    if not sparse and not dense:
        raise ValueError(
            "records: expected one sparse or dense network of each width with a finite accuracy, found none or "
            "several; pass the runs of one network of each width, or draw them by plot.widen or plot.heatmap"
        )
    base = accuracies_of([row for row in rows if number_of(row, "connectivity") == 1.0], "sparse")
    ticks = sorted({*sparse, *dense})
    series = []
    if sparse:
        budget = BUDGETS.get(text_of(run, "mask") or "")
        series.append(Series("sparse" + (f", {budget}" if budget else ""), 1, mean_points(sparse)))
    for x, values in list(base.items())[:1]:
        # To compare other widths with.
        if ticks[-1] > x:
            series.append(level(f"dense, width {x}", 0, (x, ticks[-1]), float(np.mean(values))))
    if dense:
        series.append(Series("dense, every weight", 3, mean_points(dict(sorted({**dense, **base}.items())))))
    masked = any(
        number_of(row, name) not in (None, 1.0) for row in rows for name in ("connectivity", "last_connectivity")
    )
    words = [f"Accuracy on {evaluated_on(run)} samples", *drawn_words(run, masked), *training_words(run)]
    return chart(
        ax,
        width,
        series,
        title=", ".join(words),
        x_label="width",
        y_label=f"best {evaluated_on(run)} accuracy",
        x_ticks=ticks,
        shares=True,
    )


def curves(records: Sequence[Record], *, width: str | float = "column", ax: Axes | None = None) -> Axes:
    """Loss against epoch, on the test samples and, dashed, on the training samples: means over runs.

    The networks are those of the sparse family, or of the dense one where there is none. Runs that diverged are left
    out and named, unless every run did.

    Parameters
    ----------
    records
        Of ``train`` or ``figure``: dicts of kind ``"training"`` with their ``curve``.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic in epoch and loss.

    Raises
    ------
    ValueError
        Where no run, or none with a curve, is among the records.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> run = {"kind": "training", "family": "sparse", "width": 8, "connectivity": 1.0, "last_connectivity": 1.0}
    >>> run["curve"] = {"training_loss": [2.0, 1.0], "test_loss": [2.2, 1.4], "test_accuracy": [0.3, 0.6]}
    >>> plot.curves([run]).lines[0].get_ydata().tolist()
    [2.2, 1.4]
    """
    rows = rows_of(records, "training runs")
    expect(rows, "training")
    networks = networks_of(rows)
    family = "sparse" if any(runs[0]["family"] == "sparse" for runs in networks) else "dense"
    of_family = sorted((runs for runs in networks if runs[0]["family"] == family), key=lambda runs: width_of(runs[0]))
    every_diverged = all(run.get("diverged") for runs in of_family for run in runs)
    drawn = [[run for run in runs if every_diverged or not run.get("diverged")] for runs in of_family]
    epochs = max((len(curve_of(run, "test_loss")) for runs in drawn for run in runs), default=0)
    if epochs == 0:
        raise ValueError("records: expected the losses of each epoch (the field 'curve'), found none; keep that field")
    first = of_family[0][0]
    series = []
    for style, (runs, shown) in enumerate(zip(of_family, drawn)):
        for kind, name, line in ((evaluated_on(first), "test_loss", "-"), ("training", "training_loss", "--")):
            losses = [curve_of(run, name) for run in shown]
            points = []
            for epoch in range(epochs):
                values = [loss[epoch] for loss in losses if epoch < len(loss)]
                if values:
                    points.append(Point(epoch + 1, float(np.mean(values))))
            if points:
                series.append(Series(f"{trained_name(runs[0])}, {kind}", style, points, line, marked=False))
    lost = [(runs, sum(bool(run.get("diverged")) for run in runs)) for runs in of_family]
    named = [f"{trained_name(runs[0])}, {count} of {counted(len(runs), 'run')}" for runs, count in lost if count]
    note = f"Left out, as they diverged: {'; '.join(named)}." if named else ""
    return chart(
        ax,
        width,
        series,
        title=", ".join(["Cross-entropy", *training_words(first)]),
        x_label="epoch",
        y_label="mean cross-entropy (mean over runs)",
        x_ticks=[tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick < epochs] + [epochs],
        log=True,
        note="Every run diverged." if every_diverged else note,
    )
