"""Charts of reports on the theory: its optimum, and its verification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from ._chart import chart
from ._records import (
    DISTANCE,
    KERNELS,
    METHODS,
    OLDER,
    Record,
    check_report,
    kernel_of,
    needed,
    normalisation_of,
    normalisation_words,
    one_of,
    width_of,
)
from ._series import Point, Series, around
from ._style import colour_of, counted


def optimum(report: Mapping[str, Any], *, width: str | float = "column", ax: Axes | None = None) -> Axes:
    """The curve whose minimum ``optimum`` looked for: distance against width by each theory, or predicted error.

    Parameters
    ----------
    report
        What ``optimum`` returned, or ``optimum.json`` as a dict.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Of distances logarithmic, a mark at each theory's minimum. Of predicted errors linear, with a mark at the best
        width, its interval shaded and the widths that are alike as a bar on the abscissa; error bars are two standard
        errors of the difference from the least.

    Raises
    ------
    ValueError
        Where it is another report.
    TypeError
        Where ``report`` is not a dict.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> distances = [(8, 3e-2), (32, 1e-2), (128, 2e-2)]
    >>> curve = [{"width": n, "theorem1": e, "expansion": e, "paper": e} for n, e in distances]
    >>> ax = plot.optimum({"optima": [{"method": "theorem1", "at": curve[1]}], "curve": curve})
    >>> ax.lines[0].get_ydata().tolist(), ax.get_yscale()
    ([0.03, 0.01, 0.02], 'log')
    """
    check_report(report, ["curve"], "optimum")
    if "by" in report:
        return _predicted_optimum(report, width, ax)
    check_report(report, ["curve", "optima"], "optimum")
    if not report["curve"]:
        raise ValueError("report: expected a curve of one width or more, found none; pass what optimum returned")
    minima = {OLDER.get(one["method"], one["method"]): one for one in report["optima"]}
    series = []
    for method, line in (("theorem1", "-"), ("expansion", "-"), ("paper", "--")):
        label, style = METHODS[method]
        points = [Point(width_of(row), _theory(row, method)) for row in report["curve"]]
        end = ", falls to the end" if method in minima and minima[method].get("at_end") else ""
        series.append(Series(label + end, style, points, line, marked=False))
        if method in minima and not end:
            # Found by its width: the curve holds it.
            at = minima[method]["at"]
            series.append(Series("", style, [Point(width_of(at), _theory(at, method))], line=""))
    spec = report.get("spec", {})
    pairs = int(report.get("pairs") or spec.get("pairs") or 0)
    over = f"{'median' if spec.get('median') else 'mean'} over {f'{pairs} ' if pairs else ''}pairs"
    weights = f" at {spec['weights']} weights" if "weights" in spec else ""
    ends = [width_of(report["curve"][0]), width_of(report["curve"][-1])]
    ticks = [ends[0]]
    while 0 < 2 * ticks[-1] < 0.8 * ends[1]:
        ticks.append(2 * ticks[-1])
    return chart(
        ax,
        width,
        series,
        title=f"{KERNELS[kernel_of(spec)][1]} distance{weights}, {over}, {normalisation_words(spec)}",
        x_label="width",
        y_label=DISTANCE,
        x_ticks=[*ticks, ends[1]],
        log=True,
        note="Marks: the minimum by each." if minima else "",
    )


def _theory(row: Record, method: str) -> float:
    older = {"expansion": "moments"}.get(method, method)
    return needed(row, method if method in row else older)


def _predicted_optimum(report: Mapping[str, Any], width: str | float, ax: Axes | None) -> Axes:
    spec = report["by"]
    points = []
    for row in report["curve"]:
        point = around(width_of(row), needed(row, "error"), 2.0 * needed(row, "excess_error"))
        points.append(point._replace(interval=None) if width_of(row) == report.get("width") else point)
    name = KERNELS[kernel_of(spec)][0]
    best = int(report["width"]) if report.get("width") is not None else None
    marks = [Series("", 3, [point], line="") for point in points if point.x == best]
    words = []
    if best is not None:
        words.append(
            f"Mark: the least error, at width {best}{', the end of the search' if report.get('at_end') else ''}."
        )
    # A smooth curve's least, and widths whose error is not known to be larger.
    words += [
        f"{said}: {ends[0]} to {ends[1]}."
        for said, ends in (
            ("95 % interval of the best width (shaded)", report.get("interval")),
            ("Alike (bar below)", report.get("alike")),
        )
        if ends
    ]
    axes = chart(
        ax,
        width,
        [
            Series(f"{name} regression, {counted(int(spec.get('initialisations', 1)), 'drawn network')}", 1, points),
            *marks,
        ],
        title=f"Error predicted by {name} regression, {spec.get('weights')} weights, {normalisation_words(spec)}",
        x_label="width",
        y_label="leave-one-out error",
        shares=True,
        note=" ".join([*words, "Error bars: two standard errors of the difference from the least."]),
    )
    if report.get("interval"):
        axes.axvspan(*report["interval"], color=colour_of(1), alpha=0.12, linewidth=0.0, zorder=0.5)
    if report.get("alike"):
        low, _ = axes.get_ylim()
        axes.plot(report["alike"], [low, low], color=colour_of(1), linewidth=3.0, solid_capstyle="butt", clip_on=False)
        axes.set_ylim(bottom=low)
    return axes


QUANTITIES = ("mean", "variance", "distance")
# Above this, a mean over initialisations is too skewed for its z score to be tested.
MOST_SKEWNESS = 0.2


def verification(
    report: Mapping[str, Any], *, show: str = "scores", width: str | float = "column", ax: Axes | None = None
) -> Axes:
    """Theorem 1 against sampled networks: one of the three pictures of ``verify``.

    Parameters
    ----------
    report
        What ``verify`` returned, or ``verify.json`` as a dict.
    show
        ``"scores"``: deviations of mean, variance and distance in standard errors, against the weights per row.
        ``"values"``: estimates against exact values, with two standard errors. ``"paper"``: the distance by Eq. (4)
        and by Theorem 1 at ``n p = 8``.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Linear for ``"scores"``, logarithmic for the others.

    Raises
    ------
    ValueError
        Where it is another report, or has nothing of what is to be shown.
    TypeError
        Where ``report`` is not a dict.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> check = {"theory": 1.0, "estimate": 1.2, "standard_error": 0.1, "skewness": 0.0}
    >>> cell = {"dimension": 10, "connectivity": 0.5, "width": 4, "checks": [check] * 3}
    >>> ax = plot.verification({"cells": [cell], "paper": []})
    >>> round(float(ax.lines[0].get_ydata()[0]), 6)
    2.0
    """
    one_of("show", show, ["scores", "values", "paper"])
    if not check_report(report, ["cells"], "verify")["cells"]:
        raise ValueError("report: expected a cell or more, found none; pass what verify returned")
    draw = {"scores": _verified_scores, "values": _verified_values, "paper": _verified_paper}[show]
    return draw(report, width, ax)


def _verified_scores(report: Mapping[str, Any], width: str | float, ax: Axes | None) -> Axes:
    cells = report["cells"]
    series, untested = [], []
    for style, quantity in enumerate(QUANTITIES):
        points = []
        for cell in cells:
            check = cell["checks"][style]
            if abs(check.get("skewness") or 0.0) <= MOST_SKEWNESS:
                z = (check["estimate"] - check["theory"]) / check["standard_error"]
                points.append(Point(cell["connectivity"] * cell["dimension"], z))
        series.append(Series(quantity, style, points, line=""))
        if len(points) < len(cells):
            untested.append(f"{quantity} of {counted(len(cells) - len(points), 'cell')}")
    kernel = kernel_of(report.get("spec", {}))
    sampled = "Sampled" if kernel == ("nngp", None) else f"{KERNELS[kernel][1]}: sampled"
    said = "; ".join(untested)
    return chart(
        ax,
        width,
        series,
        title=f"{sampled} networks against Theorem 1, {counted(len(cells), 'cell')}",
        x_label="weights per row, d p",
        y_label="deviation in standard errors",
        x_ticks=[cell["connectivity"] * cell["dimension"] for cell in cells],
        note=f"Left out, as the mean over initialisations is too skewed for a test: {said}." if said else "",
    )


def _verified_values(report: Mapping[str, Any], width: str | float, ax: Axes | None) -> Axes:
    cells = report["cells"]
    exact = [check["theory"] for cell in cells for check in cell["checks"]]
    series = [Series("equal", 3, [Point(end, end) for end in (min(exact), max(exact))], "--", marked=False)]
    for style, quantity in enumerate(QUANTITIES):
        checks = [cell["checks"][style] for cell in cells]
        points = [around(check["theory"], check["estimate"], 2.0 * check["standard_error"]) for check in checks]
        series.append(Series(quantity, style, points, line=""))
    return chart(
        ax,
        width,
        series,
        title="Estimated against exact",
        x_label="Theorem 1",
        y_label="sampled networks",
        log=True,
        note="Error bars: two standard errors.",
    )


def _verified_paper(report: Mapping[str, Any], width: str | float, ax: Axes | None) -> Axes:
    points = report.get("paper") or []
    if not points:
        raise ValueError(
            "show = 'paper': the report has no values of Eq. (4), which is that of the NNGP kernel; use another"
        )

    def name(point: Record) -> str:
        normalisation = normalisation_of(point)
        return str(point["data"]) if normalisation == "none" else f"{point['data']}, {normalisation}"

    names = list(dict.fromkeys(name(point) for point in points))
    series: list[Series] = []
    dimensions: list[int] = []
    for style, of in enumerate(names):
        here = [point for point in points if name(point) == of]
        exact = [Point(point["weights_per_row"], sum(point["exact"])) for point in here]
        series.append(Series(f"Theorem 1, {of}", style, exact))
        # Eq. (4) takes no inputs: one curve for each dimension.
        if here[0]["dimension"] not in dimensions:
            dimensions.append(here[0]["dimension"])
            paper = [Point(point["weights_per_row"], sum(point["paper"])) for point in here]
            series.append(Series(f"Eq. (4), d = {dimensions[-1]}", len(names) + len(dimensions), paper, "--"))
    return chart(
        ax,
        width,
        series,
        title="Kernel distance at n p = 8, mean over pairs: Eq. (4) and Theorem 1",
        x_label="weights per row, d p",
        y_label=DISTANCE,
        x_ticks=[point["weights_per_row"] for point in points],
        log=True,
    )
