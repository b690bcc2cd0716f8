"""Charts of kernel distances against width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from ._chart import chart
from ._networks import accuracies_of, drawn_words, evaluated_on, weights_of
from ._records import (
    DISTANCE,
    DRAWN,
    KERNELS,
    METHODS,
    TEST_ERROR,
    Kernel,
    Record,
    expect,
    kernel_of,
    left_out,
    method_of,
    needed,
    normalisation_of,
    normalisation_words,
    number_of,
    of_kind,
    one_of,
    rows_of,
    wanted_kernels,
    width_of,
)
from ._series import Point, Series, around, error_points, t_quantile, xs_of


def distance_point(row: Record, statistic: str) -> Point | None:
    """A distance with its 95 % interval: of the mean on the pairs taken, of the median over all pairs of the data."""
    method, x = method_of(row), float(width_of(row))
    drawn = method in DRAWN
    if statistic == "median":
        median, corrected = number_of(row, "median"), number_of(row, "median_corrected")
        if median is None:
            return None
        ends = number_of(row, "median_low"), number_of(row, "median_high")
        # Older records of sampled networks have an interval of the choice of pairs alone.
        known = None not in ends and (not drawn or corrected is not None)
        interval = (float(ends[0] or 0.0), float(ends[1] or 0.0)) if known else None
        return Point(x, median if corrected is None else corrected, interval, drawn and interval is None)
    mean, error = needed(row, "mean"), number_of(row, "mean_error_samples")
    low, high = number_of(row, "mean_low"), number_of(row, "mean_high")
    if low is not None and high is not None:
        return Point(x, mean, (low, high))
    samples = int(number_of(row, "samples") or 0)
    if drawn and error is not None:
        # Of fewer weights, or of so wide a spread, most of the distance lies in draws that were not made.
        enough = weights_of(row) * samples >= 1000 and error * math.sqrt(samples) <= 3.0 * mean
        error = error if enough and samples > 1 else None
    if error is None:
        return Point(x, mean, unknown=drawn or samples > 0)
    # Where nothing was sampled it is a bound.
    factor = t_quantile(samples - 1) if drawn else t_quantile(1000) if samples else 1.0
    return around(x, mean, factor * error)


def _distances(
    rows: Sequence[Record], normalisation: str | None, get: str | None, tangent: str | None
) -> tuple[list[Record], str]:
    """The distances of one kernel under one normalisation, and which others nobody left out."""
    found = expect(rows, "distance")
    wanted = wanted_kernels(found, get, tangent)
    kernel: Kernel = ("nngp", None) if ("nngp", None) in wanted else wanted[0]
    found = [row for row in found if kernel_of(row) == kernel]
    known = list(dict.fromkeys(normalisation_of(row) for row in found))
    others = [] if normalisation else known
    if normalisation is None:
        trained = [normalisation_of(row) for row in of_kind(rows, "training")]
        normalisation = trained[0] if trained and trained[0] in known else known[0]
    if normalisation not in known:
        raise ValueError(
            f"normalisation = {normalisation!r}: the records have {' and '.join(map(repr, known))}; choose one of these"
        )
    found = [row for row in found if normalisation_of(row) == normalisation]
    seen: set[tuple[int, str]] = set()
    for row in found:
        key = width_of(row), method_of(row)
        if key in seen:
            raise ValueError(
                f"records: several networks have width {key[0]} ({METHODS[key[1]][0]}), so a plot "
                "against width is ambiguous; pass the records of one network of each width"
            )
        seen.add(key)
    note = left_out(
        (other for other in wanted if other != kernel), (other for other in others if other != normalisation)
    )
    return sorted(found, key=width_of), note


def distance(
    records: Sequence[Record],
    *,
    statistic: str = "mean",
    normalisation: str | None = None,
    get: str | None = None,
    tangent: str | None = None,
    width: str | float = "column",
    ax: Axes | None = None,
) -> Axes:
    """Kernel distance against width, a line for each method, and the test error of trained networks on the right.

    Parameters
    ----------
    records
        Of ``distance`` or ``figure``: dicts of kind ``"distance"`` and, for the error, ``"training"``.
    statistic
        ``"mean"`` or ``"median"`` over pairs. The mean is what the theory is about; a few pairs can dominate it.
    normalisation
        Of the inputs, as in the records. If None, that of the training runs, otherwise the first one found; a note says
        which others are left out.
    get
        The kernel, ``"nngp"`` or ``"ntk"``. If None, the NNGP kernel where the records have it.
    tangent
        The convention of the tangent kernel, ``"standardised"`` or ``"paper"``. If None, the first one found.
    width
        ``"column"``, ``"page"`` or a number of inches.
    ax
        Axes to draw on in place of a new figure. A figure of your own wants ``layout="constrained"``, which makes room
        for legend and notes.

    Returns
    -------
    matplotlib.axes.Axes
        The left axes, logarithmic. The right one, if there is one, is the last of ``ax.figure.axes``.

    Raises
    ------
    ValueError
        If there is no distance for that kernel and normalisation, or if several networks share a width.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> records = [
    ...     {"kind": "distance", "method": "theorem1", "width": 8, "mean": 2e-2},
    ...     {"kind": "distance", "method": "theorem1", "width": 64, "mean": 3e-3},
    ... ]
    >>> ax = plot.distance(records)
    >>> ax.get_xlabel(), ax.get_yscale(), ax.lines[0].get_ydata().tolist()
    ('width', 'log', [0.02, 0.003])
    """
    rows = rows_of(records, "distances")
    one_of("statistic", statistic, ["mean", "median"])
    found, others = _distances(rows, normalisation, get, tangent)
    series: list[Series] = []
    for method, (label, style) in METHODS.items():
        points = [distance_point(row, statistic) for row in found if method_of(row) == method]
        shown = [point for point in points if point is not None]
        if shown:
            series.append(Series(label, style, shown, "--" if method.startswith("paper") else "-"))
    if not series:
        raise ValueError(f"statistic = {statistic!r}: none of the records has it; use 'mean'")
    # Shorter bars, such as numerical errors, are below the marks.
    bars = [(point.interval, point.y) for one in series for point in one.points if point.interval]
    seen = any(high - low > 0.02 * abs(y) for (low, high), y in bars)
    note = ""
    if seen and any(_samples_pairs(row) for row in found):
        note = {
            "mean": "Error bars of distances are 95 % intervals for the pairs taken; the means over all pairs of the "
            "data are known less well.",
            "median": "Error bars of distances are 95 % intervals of the median over all pairs of the data.",
        }[statistic]
    runs, accuracies = of_kind(rows, "training"), accuracies_of(rows, "sparse")
    right_label = ""
    if accuracies:
        label = f"{evaluated_on(runs[0])} error ({normalisation_words(runs[0])})"
        series.append(Series(label, TEST_ERROR, error_points(accuracies), right=True))
        right_label = f"{evaluated_on(runs[0])} error of the sparse networks"
    sampled = [row for row in found if method_of(row) in DRAWN]
    masked = [row for row in sampled if number_of(row, "connectivity") != 1.0]
    words = [f"{KERNELS[kernel_of(found[0])][1]} distance", f"{statistic} over pairs", normalisation_words(found[0])]
    for row in (masked or sampled)[:1]:
        words += drawn_words(row, bool(masked))
    return chart(
        ax,
        width,
        series,
        title=", ".join(words),
        x_label="width",
        y_label=DISTANCE,
        x_ticks=xs_of(series),
        log=True,
        right_label=right_label,
        note=f"{note} {others}".strip(),
    )


def _samples_pairs(row: Record) -> bool:
    """Whether the pairs are some of those of the data."""
    pairs = int(number_of(row, "pairs") or 0)
    return pairs > 0 and not method_of(row).endswith("_all") and number_of(row, "pairs_of_data") != pairs


def bias_and_variance(
    records: Sequence[Record],
    *,
    normalisation: str | None = None,
    get: str | None = None,
    tangent: str | None = None,
    width: str | float = "column",
    ax: Axes | None = None,
) -> Axes:
    """The two parts of the distance against width, means over pairs, by each theory.

    Bias^2 is how far the limit of the sparse network itself is from that of the dense one, variance / n how far the
    finite network is from its own limit. Of few drawn networks bias^2 is mostly noise, so they are left out.

    Parameters
    ----------
    records
        Of ``distance`` or ``figure``: dicts of kind ``"distance"``.
    normalisation, get, tangent, width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic; bias^2 is solid, variance / n dashed.

    Raises
    ------
    ValueError
        Where no theory is among the records, or several networks have one width.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> record = {"kind": "distance", "method": "theorem1", "width": 8, "mean": 0.02}
    >>> ax = plot.bias_and_variance([{**record, "bias_squared": 0.01, "variance": 0.08}])
    >>> [line.get_ydata().tolist() for line in ax.lines]
    [[0.01], [0.01]]
    """
    found, others = _distances(rows_of(records, "distances"), normalisation, get, tangent)
    series = []
    for method, (label, style) in METHODS.items():
        if method in DRAWN:
            continue
        for part, line in (("bias²", "-"), ("variance / n", "--")):
            points = []
            for row in found:
                value = number_of(row, "bias_squared" if line == "-" else "variance")
                if method_of(row) == method and value is not None:
                    points.append(Point(width_of(row), value if line == "-" else value / width_of(row)))
            if points:
                series.append(Series(f"{part}, {label}", style, points, line, marked=line == "-"))
    drawn = [METHODS[name][0] for name in METHODS if name in DRAWN and any(method_of(row) == name for row in found)]
    if not series:
        raise ValueError(
            f"records: expected distances by a theory, which have bias^2 and variance, found "
            f"{', '.join(drawn) or 'none'}; run distance with the method 'theorem1'"
        )
    kernel = kernel_of(found[0])
    noise = f"Left out, as their bias² is mostly noise: {'; '.join(drawn)}." if drawn else ""
    of = "" if kernel == ("nngp", None) else f", {KERNELS[kernel][1].lower()}"
    return chart(
        ax,
        width,
        series,
        title=f"The two parts of the distance{of}: bias² and variance / n, {normalisation_words(found[0])}",
        x_label="width",
        y_label="mean over pairs",
        x_ticks=xs_of(series),
        log=True,
        note=f"{noise} {others}".strip(),
    )
