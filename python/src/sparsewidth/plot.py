"""The program's charts, drawn with matplotlib for a paper.

Each function takes records - lists of dicts, as the functions of ``sparsewidth`` return them and ``load_records`` reads
them - or the report of ``optimum``, ``verify`` and the like, and returns the axes that it drew on:

=======================================================  ==============================================
chart of the program                                     function
=======================================================  ==============================================
``distance``: mean or median distance against width      :func:`distance`
``distance-parts``: bias^2 and variance / n              :func:`bias_and_variance`
``accuracy``: accuracy of trained networks               :func:`training`
``curves``: losses against epoch                         :func:`curves`
``prediction``: predicted and trained test error         :func:`predictions`
``regret``: what a predictor's choice of width costs     :func:`regret`
``optimum``: by distance, or by predicted error          :func:`optimum`
``verify-z``, ``verify-values``, ``verify-paper``        :func:`verification`, by ``show``
``masks``: distance of given masks against density       :func:`masks`
``budget``: the weights that each layer keeps            :func:`budget`
``heatmap``: accuracy over two connectivities            :func:`heatmap`
``tune``: validation error against learning rate         :func:`tune`
``widen``, ``widen-distance``: ways to widen             :func:`widen`, by ``show``
=======================================================  ==============================================

Pictures are as wide as a column (3.3 inches) or a page (6.75 inches), by ``width``, or as many inches as a number says;
type is of 7 and 8 points. With ``ax``, an axes of yours is drawn on: legend and notes go below it, for which a figure
with ``layout="constrained"`` makes room. The title says what a caption should; ``ax.set_title("", loc="left")`` removes
it.

Colours belong to methods and are those of the program. Error bars are 95 % intervals where nothing else is said. A
point whose interval is not known - of one run, or of too few draws - is hollow, and the legend says so.
Points that would squeeze all others are left beyond the axis, and named below.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import offset_copy

__all__ = [
    "bias_and_variance",
    "budget",
    "curves",
    "distance",
    "heatmap",
    "masks",
    "optimum",
    "predictions",
    "regret",
    "training",
    "tune",
    "verification",
    "widen",
]

Record = Mapping[str, Any]

# Inches. Of a column of two, and of a page with two columns, as ICML sets them.
WIDTHS = {"column": 3.3, "page": 6.75}
HEIGHTS = {"column": 1.8, "page": 2.9}
SMALL, LARGE = 7.0, 8.0

# The program's colours: Okabe and Ito's palette, for readers with any colour vision, and further ones.
# fmt: off
PALETTE = [
    "#000000", "#0072b2", "#009e73", "#d55e00", "#e69f00", "#cc79a7", "#56b4e9", "#969696",
    "#882255", "#85aaff", "#332288", "#787814", "#bebebe", "#ff3c3c", "#783c14", "#96dc78",
]
# fmt: on
MARKERS = "o^sDvPX*<>"
GREY = "#969696"

METHODS = {
    "sampled": ("sampled networks", 0),
    "sampled_all": ("sampled, all pairs", 7),
    "theorem1": ("Theorem 1", 1),
    "theorem1_fixed_count": ("Theorem 1, fixed counts", 9),
    "expansion": ("second-order expansion", 2),
    "expansion_all": ("expansion, all pairs", 6),
    "paper": ("Eq. (4), own p", 3),
    "paper_fixed_np": ("Eq. (4), fixed n p", 4),
}
# Names of earlier versions.
OLDER = {
    "moments": "expansion",
    "moments_all": "expansion_all",
    "paper_even": "paper_fixed_np",
    "theorem1_masks": "theorem1_fixed_count",
}
DRAWN = ("sampled", "sampled_all")
TEST_ERROR = 5
NORMALISATIONS = {
    "pixel": "pixel normalisation",
    "global": "global normalisation",
    "none": "no normalisation",
    "global_mnist": "global normalisation by MNIST's scale",
    "rescale": "rescaled to 0 to 1",
}
MASKS = {"bernoulli": "Bernoulli", "exact_count": "exact-count", "constant_fan_in": "constant-fan-in"}
BUDGETS = {
    "bernoulli": "fixed number of weights on average",
    "exact_count": "fixed number of weights",
    "constant_fan_in": "fixed number of weights but for rounding",
}
LAWS = {"gaussian": "Gaussian", "uniform": "uniform"}
FAMILIES = {
    "sparse": ("sparse", 1),
    "deep_sparse": ("sparse, two hidden layers", 2),
    "linear_bottleneck": ("linear bottleneck", 0),
    "nonlinear_bottleneck": ("non-linear bottleneck", 3),
    "dense": ("dense", 3),
}
WAYS = ("sparse", "deep_sparse", "linear_bottleneck", "nonlinear_bottleneck")
Kernel = tuple[str, "str | None"]
KERNELS: dict[Kernel, tuple[str, str, int]] = {
    ("nngp", None): ("NNGP", "Kernel", 4),
    ("ntk", "standardised"): ("NTK (tau = 1)", "Tangent kernel (tau = 1)", 1),
    ("ntk", "paper"): ("NTK (tau = p)", "Tangent kernel (tau = p)", 2),
}
DISTANCE = "mean squared distance to the infinite-width kernel"


# What is drawn.


class _Point(NamedTuple):
    x: float
    y: float
    interval: tuple[float, float] | None = None
    # Whether there is an interval that nobody knows.
    unknown: bool = False


class _Series(NamedTuple):
    label: str
    style: int
    points: Sequence[_Point]
    line: str = "-"
    marked: bool = True
    right: bool = False


def _colour(style: int) -> str:
    return PALETTE[style % len(PALETTE)]


# The axes.


def _new_axes(ax: Axes | None, width: str | float) -> tuple[Axes, float | None]:
    """The axes to draw on, and the height that they are to have, in inches, where the figure is our own."""
    if ax is not None:
        if not isinstance(ax, Axes):
            raise TypeError(f"ax = {ax!r}: expected an axes of matplotlib; pass one, or leave ax out for a new figure")
        return ax, None
    if isinstance(width, str):
        if width not in WIDTHS:
            raise ValueError(f"width = {width!r}: expected 'column', 'page' or a number of inches; use one of these")
        inches, height = WIDTHS[width], HEIGHTS[width]
    else:
        inches = float(width)
        if not 1.0 <= inches <= 100.0:
            raise ValueError(f"width = {width!r}: expected 1 to 100 inches; use 'column' (3.3) or 'page' (6.75)")
        height = HEIGHTS["column"] if inches < 5.0 else HEIGHTS["page"]
    # Only where a figure is made, so that an axes of your own needs no pyplot.
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(inches, height + 1.0), layout="constrained")
    return figure.add_subplot(), height


def _text_width(text: str, size: float) -> float:
    """The width of a line in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width)


def _wrap(text: str, size: float, room: float) -> str:
    # Hinting can make text a little wider than its outlines are.
    room *= 0.97
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _text_width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _balanced(text: str, size: float, room: float) -> str:
    """The same in as many lines, of about one length."""
    lines = _wrap(text, size, room).count("\n")
    narrower = (_wrap(text, size, share * room) for share in np.linspace(0.5, 1.0, 26))
    return next(wrapped for wrapped in narrower if wrapped.count("\n") == lines)


def _short(value: float) -> str:
    """A number in three digits."""
    if value == 0.0 or 1e-2 <= abs(value) < 1e3:
        return f"{value:.3g}"
    mantissa, power = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"


def _abscissa(value: float) -> str:
    """A number on the horizontal axis: counts in full, others in four digits."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e7 else f"{value:.4g}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


class _Range:
    """The range of most of some places, as the program has it.

    Places that lie far out (Tukey's fences) and would leave all others, five or more, less than three tenths of the
    axis are not in it.
    """

    def __init__(self, places: Sequence[float], least: float) -> None:
        lower, upper = np.quantile(places, [0.25, 0.75])
        reach = max(1.5 * (upper - lower), least)
        near = [place for place in places if lower - reach <= place <= upper + reach]
        if len(near) < 5:
            near = list(places)
        self.low, self.high = min(near), max(near)
        self.longest = max(self.high - self.low, least) / 0.3
        self.grow(places)

    def grow(self, places: Iterable[float]) -> None:
        """Takes in more places, near ones first, as far as it may."""
        start, end = self.low, self.high
        for place in sorted(places, key=lambda place: max(start - place, place - end)):
            low, high = min(self.low, place), max(self.high, place)
            if high - low <= self.longest:
                self.low, self.high = low, high


def _limits(points: Sequence[_Point], log: bool, shares: bool, whole: bool) -> tuple[float, float]:
    """The ends of an axis that holds points and error bars: all points, or all that do not squeeze the others."""

    def place(value: float) -> float:
        return math.log(value) if log else value

    def is_shown(value: float) -> bool:
        return math.isfinite(value) and (value > 0.0 or not log)

    shown = [point for point in points if is_shown(point.y)]
    shares = shares and all(0.0 <= point.y <= 1.0 for point in shown)
    places = sorted(place(point.y) for point in shown)
    typical = max(abs(float(np.quantile(places, level))) for level in (0.25, 0.75))
    least = 0.05 if log else 0.05 * typical
    found = _Range(places, least)
    if whole:
        found.low, found.high = places[0], places[-1]
    # Ends of error bars may leave the points a tenth of the axis.
    found.longest = max(found.high - found.low, least) / 0.1 if found.low < found.high else math.inf
    held = [point.interval for point in shown if found.low <= place(point.y) <= found.high and point.interval]
    ends = [min(max(end, 0.0), 1.0) if shares else end for interval in held for end in interval]
    found.grow(place(end) for end in ends if is_shown(end))
    if log:
        low, high = math.exp(found.low) / 1.3, math.exp(found.high) * 1.3
        return low, min(high, 1.0) if shares else high
    room = max(0.06 * (found.high - found.low), 0.005 * max(abs(found.low), abs(found.high))) or 1.0
    low, high = found.low - room, found.high + room
    return (max(low, 0.0), min(high, 1.0)) if shares else (low, high)


def _round_ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic axis of few decades."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for tenths in ((1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        ticks = [float(f"{digits}e{decade}") for decade in decades for digits in tenths]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) > 2:
            return ticks
    ticks = [float(tick) for tick in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)]
    return [tick for tick in ticks if low <= tick <= high]


def _power(value: float) -> str:
    """A round number in powers of ten."""
    mantissa, power = f"{value:.1e}".split("e")
    mantissa = mantissa.removesuffix(".0")
    return f"$10^{{{int(power)}}}$" if mantissa == "1" else f"${mantissa}{{\\times}}10^{{{int(power)}}}$"


def _logarithmic(ax: Axes) -> None:
    """A vertical logarithmic axis with two labels or more, as short as may be."""
    low, high = ax.get_ylim()
    ticks = _round_ticks(low, high)
    if math.log10(high / low) > 1.7:
        step = max(1, round(math.log10(high / low) / 6.0))
        decades = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        ticks = [float(f"1e{decade}") for decade in decades if decade % step == 0]
    plain = all(0.01 <= tick < 1e5 for tick in ticks)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(FixedFormatter([f"{tick:g}" if plain else _power(tick) for tick in ticks]))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _with_room(ax: Axes, ticks: Sequence[float]) -> list[float]:
    """Those of some ticks whose labels have room beside each other: the first and the last one before others."""
    length, (low, high) = ax.bbox.width * 72.0 / _figure(ax).dpi, ax.get_xlim()
    kept: dict[float, tuple[float, float]] = {}
    for tick in [*ticks[:1], *ticks[-1:], *ticks]:
        middle = length * math.log(tick / low) / math.log(high / low)
        half = _text_width(_abscissa(tick), SMALL) / 2.0 + 2.0
        if all(middle - half > end or middle + half < start for start, end in kept.values()):
            kept[tick] = (middle - half, middle + half)
    return sorted(kept)


def _figure(ax: Axes) -> Figure:
    """The whole figure, also where the axes are those of a subfigure."""
    if ax.figure is None:
        raise ValueError("ax: expected axes of a figure, found some that were removed from theirs; pass others")
    return ax.figure.canvas.figure


def _chart(
    ax: Axes | None,
    width: str | float,
    series: Sequence[_Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_ticks: Iterable[float] = (),
    log: bool = False,
    shares: bool = False,
    right_label: str = "",
    note: str = "",
    whole: bool = False,
) -> Axes:
    """Draws series over a logarithmic abscissa."""
    if not any(math.isfinite(point.y) for one in series for point in one.points):
        raise ValueError(f"records: no finite number to draw in {title!r}; look whether every run diverged")
    axes, height = _new_axes(ax, width)
    of_left = [point for one in series for point in one.points if not one.right and math.isfinite(point.y)]
    notes = []
    if log and of_left and not any(point.y > 0.0 for point in of_left):
        log = False
        notes.append("No value is above 0, so the axis is linear.")
    _style(axes)
    axes.set_xscale("log")
    if log:
        axes.set_yscale("log")
    sides = {False: axes}
    if any(one.right for one in series):
        sides[True] = axes.twinx()
        _style(sides[True])
        sides[True].spines["right"].set_visible(True)
        sides[True].grid(False)
    for right, side in sides.items():
        points = [point for one in series for point in one.points if one.right == right and math.isfinite(point.y)]
        if points:
            side.set_ylim(*_limits(points, log and not right, shares or right, whole))
            if log and not right:
                _logarithmic(side)
    places = [point.x for one in series for point in one.points if point.x > 0.0]
    room = math.exp(max(0.04 * math.log(max(places) / min(places)), 0.02))
    low, high = min(places) / room, max(places) * room
    if len(set(places)) == 1:
        low, high = low / 2.1, high * 2.1
    axes.set_xlim(low, high)
    lines = [_draw(sides[one.right], one, log and not one.right) for one in series]
    handles = [line for line, one in zip(lines, series) if one.label]
    notes += _lost(series, sides, log)
    if any(point.unknown for one in series for point in one.points if math.isfinite(point.y)):
        handles.append(
            Line2D(
                [], [], color=GREY, linestyle="none", marker="o", markersize=3.5, markerfacecolor="white", label=UNKNOWN
            )
        )
    axes.set_xlabel(x_label, fontsize=LARGE, labelpad=2.0)
    for side, label in zip(sides.values(), (y_label, right_label)):
        side.set_ylabel(label, fontsize=LARGE, labelpad=2.0)
    _finish(axes, height, title, [*notes, note], handles, sides.get(True), sorted(set(x_ticks)))
    return axes


UNKNOWN = "95 % interval not known"


def _style(ax: Axes) -> None:
    ax.tick_params(which="both", labelsize=SMALL, width=0.5, length=2.5, pad=2.0)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(True, which="major", color="#e1e1e1", linewidth=0.4)
    ax.set_axisbelow(True)
    for name, spine in ax.spines.items():
        spine.set_linewidth(0.5)
        spine.set_visible(name in ("left", "bottom"))


def _draw(ax: Axes, series: _Series, log: bool) -> Line2D:
    """One series: its line, error bars and markers."""
    shown = [point for point in series.points if math.isfinite(point.y) and (point.y > 0.0 or not log)]
    colour, marker = _colour(series.style), MARKERS[series.style % len(MARKERS)]
    alone = len(shown) < 2 or not series.line
    (line,) = ax.plot(
        [point.x for point in shown],
        [point.y for point in shown],
        color=colour,
        linestyle=series.line or "none",
        linewidth=0.9,
        marker=marker if series.marked or alone else "none",
        markersize=3.0 if series.label else 4.5,
        markeredgewidth=0.6,
        # A mark on a line stands out from it.
        markeredgecolor=colour if series.label else "white",
        label=series.label or "_mark",
        solid_capstyle="butt",
        zorder=2.0 if series.line else 3.0,
    )
    bars = [(point.x, point.interval) for point in shown if point.interval]
    if bars:
        at = [x for x, _ in bars]
        ends = [[interval[side] for _, interval in bars] for side in (0, 1)]
        ax.vlines(at, ends[0], ends[1], color=colour, linewidth=0.6)
        for end in ends:
            ax.plot(at, end, color=colour, linestyle="none", marker="_", markersize=4.0, markeredgewidth=0.6)
    unknown = [point for point in shown if point.unknown]
    if unknown:
        ax.plot(
            [point.x for point in unknown],
            [point.y for point in unknown],
            color=colour,
            linestyle="none",
            marker=marker,
            markersize=3.5,
            markeredgewidth=0.7,
            markerfacecolor="white",
            zorder=3,
        )
    return line


def _lost(series: Sequence[_Series], sides: Mapping[bool, Axes], log: bool) -> list[str]:
    """What the axes do not hold, in words."""
    beyond: list[str] = []
    unseen: list[str] = []
    cut: list[str] = []
    for one in series:
        low, high = sides[one.right].get_ylim()
        zeros, ends = [], []
        for point in one.points:
            if log and not one.right and point.y <= 0.0:
                zeros.append(_abscissa(point.x))
            elif math.isfinite(point.y) and not low <= point.y <= high:
                beyond.append(f"{one.label}, {_short(point.y)} at {_abscissa(point.x)}")
            elif point.interval and (point.interval[0] < low or point.interval[1] > high):
                ends.append(_abscissa(point.x))
        for places, found in ((zeros, unseen), (ends, cut)):
            if places:
                found.append(f"{one.label} at {', '.join(places)}")
    leads = (
        ("Beyond the axis", beyond),
        ("Intervals go beyond the axis", cut),
        ("Left out, as the axis is logarithmic and they are not above 0", unseen),
    )
    most = 6
    return [
        f"{lead}: {'; '.join(found[:most])}{f'; and {len(found) - most} more' if len(found) > most else ''}."
        for lead, found in leads
        if found
    ]


def _finish(
    ax: Axes,
    height: float | None,
    title: str,
    notes: Sequence[str],
    handles: Sequence[Line2D] = (),
    right: Axes | None = None,
    x_ticks: Sequence[float] | None = None,
) -> None:
    """Ticks, title, legend and notes, in the room that there is; then the height of a figure of our own."""
    figure = _figure(ax)
    points = 72.0 / figure.dpi
    for side in filter(None, (ax, right)):
        # An axes of another's figure gives legend and notes a part of its own height.
        tall = 72.0 * height if height else 0.75 * ax.bbox.height * points
        side.set_ylabel(_balanced(side.get_ylabel(), LARGE, 1.1 * tall))
    figure.draw_without_rendering()
    if x_ticks is not None:
        ticks = [tick for tick in x_ticks if ax.get_xlim()[0] <= tick <= ax.get_xlim()[1]]
        low, high = ax.get_xlim()
        if len(ticks) < 2 and high / low < 300.0:
            ticks = _round_ticks(low, high)
        if len(ticks) > 1:
            ticks = _with_room(ax, ticks)
            ax.xaxis.set_major_locator(FixedLocator(ticks))
            ax.xaxis.set_major_formatter(FixedFormatter([_abscissa(tick) for tick in ticks]))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_minor_formatter(NullFormatter())
    figure.draw_without_rendering()
    boxes = [box for side in filter(None, (ax, right)) if (box := side.get_tightbbox()) is not None]
    left = (ax.bbox.x0 - min(box.x0 for box in boxes)) * points
    room = (max(box.x1 for box in boxes) - min(box.x0 for box in boxes)) * points
    below = (ax.bbox.y0 - min(box.y0 for box in boxes)) * points + 3.0
    ax.set_title(_wrap(title, LARGE, room - left), fontsize=LARGE, loc="left", pad=4.0)
    if handles:
        _hidden_are_wider(ax, handles)
        labels = [_wrap(str(handle.get_label()), SMALL, room - 25.0) for handle in handles]
        widths = [max(_text_width(line, SMALL) for line in label.split("\n")) for label in labels]
        legend = ax.legend(
            list(handles),
            labels,
            fontsize=SMALL,
            ncols=next(columns for columns in (3, 2, 1) if columns == 1 or _legend_width(widths, columns) <= room),
            loc="upper left",
            bbox_to_anchor=(0.0, 0.0),
            bbox_transform=offset_copy(ax.transAxes, figure, x=-left, y=-below, units="points"),
            borderpad=0.0,
            borderaxespad=0.0,
            handlelength=2.4,
            handletextpad=0.5,
            columnspacing=1.0,
            labelspacing=0.3,
            frameon=False,
        )
        figure.draw_without_rendering()
        below += legend.get_window_extent().height * points + 3.0
    words = "\n".join(_wrap(note, SMALL, room) for note in notes if note)
    if words:
        ax.text(
            0.0,
            0.0,
            words,
            fontsize=SMALL,
            color="#404040",
            va="top",
            transform=offset_copy(ax.transAxes, figure, x=-left, y=-below, units="points"),
        )
    if height:
        figure.draw_without_rendering()
        inches = figure.get_size_inches()
        figure.set_size_inches(inches[0], inches[1] + height - ax.bbox.height / figure.dpi)
        figure.draw_without_rendering()


def _legend_width(widths: Sequence[float], columns: int) -> float:
    """What a legend needs in points: columns of texts with their handles, and the gaps between."""
    texts = sum(max(column) for column in np.array_split(np.array(widths), columns) if len(column))
    return float(1.03 * texts) + (2.4 + 0.5 + 1.0) * SMALL * columns - SMALL


def _hidden_are_wider(ax: Axes, lines: Sequence[Line2D]) -> None:
    """Lines, and points without one, that are hidden below later ones are drawn wider, so that all can be seen."""
    paths = [line.axes.transData.transform(line.get_xydata()) if line.axes else None for line in lines]
    reach = 1.5 * _figure(ax).dpi / 72.0
    for index in range(len(lines) - 1, -1, -1):
        path, widths = paths[index], []
        if path is None or len(path) == 0:
            continue
        if lines[index].get_linestyle() == "None":
            _hidden_are_larger(lines[index], path, lines[index + 1 :], paths[index + 1 :], reach)
            continue
        if len(path) < 2:
            continue
        at = np.linspace(path[:, 0].min(), path[:, 0].max(), 101)
        own = np.interp(at, path[:, 0], path[:, 1])
        for above, other in zip(lines[index + 1 :], paths[index + 1 :]):
            if other is None or len(other) < 2 or above.get_linestyle() == "None":
                continue
            along = np.interp(at, other[:, 0], other[:, 1], left=math.nan, right=math.nan)
            if np.mean(np.abs(along - own) <= reach) >= 0.25:
                widths.append(above.get_linewidth())
        if widths:
            # Beyond, it would be a band.
            lines[index].set_linewidth(min(max(widths) + 0.8, 2.5))


def _hidden_are_larger(points: Line2D, path: Any, above: Sequence[Line2D], paths: Sequence[Any], reach: float) -> None:
    """The same for points."""
    sizes = []
    for line, other in zip(above, paths):
        if other is not None and len(other) and line.get_linestyle() == "None":
            nearest = np.hypot(*(path[:, None, :] - other[None, :, :]).transpose(2, 0, 1)).min(axis=1)
            if np.mean(nearest <= 2.0 * reach) >= 0.25:
                sizes.append(line.get_markersize())
    if sizes:
        points.set_markersize(max(sizes) + 1.8)


# The records.


def _rows(records: Any, of: str) -> list[dict[str, Any]]:
    """Records as a list of dicts, also those of a data frame."""
    if hasattr(records, "to_dict") and hasattr(records, "columns"):
        records = records.to_dict("records")
    if isinstance(records, (str, bytes)) or hasattr(records, "__fspath__"):
        raise TypeError(f"records = {records!r}: expected records, found a path; pass load_records({str(records)!r})")
    if isinstance(records, Mapping):
        found = ", ".join(map(str, list(records)[:4]))
        raise TypeError(f"records: expected a list of {of}, found a dict ({found}, ...); a report has another function")
    if not isinstance(records, Iterable):
        raise TypeError(f"records = {records!r}: expected a list of {of}; pass what the study returned")
    rows = list(records)
    if not rows:
        raise ValueError(f"records: expected {of}, found none; run the study, or look where its records are")
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"records[{place}] = {row!r}: expected a dict; pass what the study returned")
    return [dict(row) for row in rows]


KINDS = {
    "distance": ("distances", "plot.distance"),
    "training": ("training runs", "plot.training"),
    "prediction": ("predicted errors", "plot.predictions"),
}


def _of_kind(rows: Sequence[Record], kind: str) -> list[Record]:
    return [row for row in rows if row.get("kind") == kind]


def _expect(rows: Sequence[Record], kind: str) -> list[Record]:
    """The records of one kind, of which there is one at least."""
    found = _of_kind(rows, kind)
    if not found:
        others = sorted({str(row.get("kind")) for row in rows})
        draws = [KINDS[other][1] for other in others if other in KINDS]
        raise ValueError(
            f"records: expected {KINDS[kind][0]} (kind = {kind!r}), found {_counted(len(rows), 'record')} of kind "
            f"{' and '.join(map(repr, others))}; {' or '.join(draws) + ' draws these' if draws else 'pass others'}"
        )
    return found


def _field(row: Record, name: str) -> Any:
    if name not in row:
        found = ", ".join(map(str, list(row)[:5]))
        raise ValueError(
            f"records: expected a field {name!r}, found {found}, ...; pass records as the study returned them"
        )
    return row[name]


def _number(row: Record, name: str) -> float | None:
    """A number that may be missing: data frames have NaN for none."""
    value = row.get(name)
    return None if value is None or math.isnan(value) else float(value)


def _needed(row: Record, name: str) -> float:
    _field(row, name)
    value = _number(row, name)
    return math.nan if value is None else value


def _text(row: Record, name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _width(row: Record) -> int:
    return int(_needed(row, "width"))


def _report(report: Any, parts: Sequence[str], by: str) -> Mapping[str, Any]:
    if not isinstance(report, Mapping):
        raise TypeError(f"report: expected a dict, found {type(report).__name__}; pass what {by} returned")
    missing = [part for part in parts if part not in report]
    if missing:
        found = ", ".join(map(str, list(report)[:6]))
        raise ValueError(f"report: expected {' and '.join(parts)}, found {found}; pass what {by} returned")
    return report


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} = {value!r}: expected {' or '.join(map(repr, allowed))}; use one of these")
    return value


def _method(row: Record) -> str:
    name = str(_field(row, "method"))
    name = OLDER.get(name, name)
    if name not in METHODS:
        raise ValueError(f"method = {name!r}: expected {', '.join(METHODS)}; pass records of the present program")
    return name


def _kernel(row: Record) -> Kernel:
    if (_text(row, "kernel") or "nngp") == "nngp":
        return "nngp", None
    return "ntk", _text(row, "tangent") or "standardised"


def _normalisation(row: Record) -> str:
    return _text(row, "normalisation") or "none"


def _titled(row: Record) -> str:
    name = _normalisation(row)
    return NORMALISATIONS.get(name, name)


class _Layer(NamedTuple):
    activation: str
    width: int
    connectivity: float


def _architecture(row: Record) -> list[_Layer]:
    """The layers of a network, of which records before `schema` have one of a width and at most one before it."""
    text = _text(row, "architecture")
    if text is None:
        connectivity = row.get("connectivity", 1.0)
        hidden = f"{row.get('activation', 'relu')}:{row.get('width')}@{connectivity}"
        text = f"{row['before']}@{connectivity} {hidden}" if _text(row, "before") else hidden
        last = _number(row, "last_connectivity")
        text += "" if last is None else f" linear:10@{last}"
    layers = []
    for layer in text.split():
        found = re.fullmatch(r"(\w+):(\d+)(?:@([^/]+))?(?:/\w+)?", layer)
        if not found:
            raise ValueError(
                f"architecture = {text!r}: expected layers such as 'relu:216@0.0375'; pass records as written"
            )
        layers.append(_Layer(found[1], int(found[2]), float(found[3] or 1.0)))
    return layers


def _weights(row: Record) -> float:
    """The expected number of weights of a network."""
    inputs, total = _needed(row, "dimension"), 0.0
    for layer in _architecture(row):
        total += inputs * layer.width * layer.connectivity
        inputs = layer.width
    return total


# Statistics.


def _t_quantile(degrees: int) -> float:
    """The factor from a standard error to half a 95 % interval, by Student's t."""
    if degrees > 1000:
        # Abramowitz and Stegun 26.7.5.
        z = 1.959963984540054
        return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)

    def inside(angle: float) -> float:
        """The probability of `|t| < tan(angle) sqrt(degrees)`, a finite sum (26.7.3 and 4)."""
        sine, cosine = math.sin(angle), math.cos(angle)
        odd = degrees % 2
        term, total = (cosine, 0.0) if odd else (1.0, 0.0)
        for index in range(degrees // 2):
            total += term
            term *= cosine * cosine * ((2 * index + 2) / (2 * index + 3) if odd else (2 * index + 1) / (2 * index + 2))
        return 2 / math.pi * (angle + sine * total) if odd else sine * total

    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < 0.95 else (low, middle)
    return math.tan(low) * math.sqrt(degrees)


def _mean_point(x: float, values: Sequence[float]) -> _Point:
    """A mean over runs with its 95 % interval, which is not known of one run."""
    center = float(np.mean(values)) if values else math.nan
    if len(values) < 2:
        return _Point(x, center, unknown=True)
    reach = _t_quantile(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return _Point(x, center, (center - reach, center + reach))


def _distance_point(row: Record, statistic: str) -> _Point | None:
    """A distance with its 95 % interval: of the mean on the pairs taken, of the median over all pairs of the data."""
    method, x = _method(row), float(_width(row))
    drawn = method in DRAWN
    if statistic == "median":
        median, corrected = _number(row, "median"), _number(row, "median_corrected")
        if median is None:
            return None
        ends = _number(row, "median_low"), _number(row, "median_high")
        # Older records of sampled networks have an interval of the choice of pairs alone.
        known = None not in ends and (not drawn or corrected is not None)
        interval = (float(ends[0] or 0.0), float(ends[1] or 0.0)) if known else None
        return _Point(x, median if corrected is None else corrected, interval, drawn and interval is None)
    mean, error = _needed(row, "mean"), _number(row, "mean_error_samples")
    low, high = _number(row, "mean_low"), _number(row, "mean_high")
    if low is not None and high is not None:
        return _Point(x, mean, (low, high))
    samples = int(_number(row, "samples") or 0)
    if drawn and error is not None:
        # Of fewer weights, or of so wide a spread, most of the distance lies in draws that were not made.
        enough = _weights(row) * samples >= 1000 and error * math.sqrt(samples) <= 3.0 * mean
        error = error if enough and samples > 1 else None
    if error is None:
        return _Point(x, mean, unknown=drawn or samples > 0)
    # Where nothing was sampled it is a bound.
    factor = _t_quantile(samples - 1) if drawn else _t_quantile(1000) if samples else 1.0
    return _Point(x, mean, (mean - factor * error, mean + factor * error))


def _distances(rows: Sequence[Record], normalisation: str | None, get: str | None, tangent: str | None) -> list[Record]:
    """The distances of one kernel under one normalisation."""
    found = _expect(rows, "distance")
    if get is not None:
        _one_of("get", get, ["nngp", "ntk"])
    if tangent is not None:
        _one_of("tangent", tangent, ["standardised", "paper"])
        get = get or "ntk"
    kernels = list(dict.fromkeys(_kernel(row) for row in found))
    wanted = [kernel for kernel in kernels if get in (None, kernel[0]) and tangent in (None, kernel[1])]
    if not wanted:
        named = " and ".join(f"get = {name!r}" + (f", tangent = {of!r}" if of else "") for name, of in kernels)
        raise ValueError(f"get = {get!r}, tangent = {tangent!r}: the records have {named}; choose one of these")
    kernel = ("nngp", None) if get is None and ("nngp", None) in wanted else wanted[0]
    found = [row for row in found if _kernel(row) == kernel]
    known = list(dict.fromkeys(_normalisation(row) for row in found))
    if normalisation is None:
        trained = [_normalisation(row) for row in _of_kind(rows, "training")]
        normalisation = trained[0] if trained and trained[0] in known else known[0]
    if normalisation not in known:
        raise ValueError(
            f"normalisation = {normalisation!r}: the records have {' and '.join(map(repr, known))}; choose one of these"
        )
    found = [row for row in found if _normalisation(row) == normalisation]
    seen: set[tuple[int, str]] = set()
    for row in found:
        key = _width(row), _method(row)
        if key in seen:
            raise ValueError(
                f"records: several networks have width {key[0]} ({METHODS[key[1]][0]}), which the width does not tell "
                "apart; pass the records of one network of each width"
            )
        seen.add(key)
    return sorted(found, key=_width)


def _networks(rows: Sequence[Record]) -> list[list[Record]]:
    """The training runs of each network."""
    networks: dict[Any, list[Record]] = {}
    for run in _of_kind(rows, "training"):
        key = str(_field(run, "family")), tuple(_architecture(run)), run.get("learning_rate"), run.get("epochs")
        networks.setdefault(key, []).append(run)
    return list(networks.values())


def _curve(run: Record, name: str) -> list[float]:
    """A learning curve, a list of its own or within `curve`."""
    curve = run.get("curve")
    found = curve.get(name) if isinstance(curve, Mapping) else run.get(f"curve.{name}", run.get(f"curve_{name}"))
    return [math.nan if value is None else float(value) for value in found] if found is not None else []


def _best_accuracy(run: Record) -> float | None:
    """The best accuracy of an epoch of finite losses; older records also counted the epoch that diverged."""
    accuracies, epoch = _curve(run, "test_accuracy"), _number(run, "best_epoch")
    if run.get("diverged") and epoch is not None and epoch > len(accuracies):
        return max(accuracies, default=None)
    return _number(run, "best_accuracy")


def _accuracies(rows: Sequence[Record], family: str, final: bool = False) -> dict[int, list[float]]:
    """The accuracies of the runs of one family by width; none where several networks have one width."""
    networks = [runs for runs in _networks(rows) if runs[0]["family"] == family]
    widths = [_width(runs[0]) for runs in networks]
    if len(set(widths)) < len(widths):
        return {}

    def of(run: Record) -> float | None:
        return _number(run, "final_accuracy") if final else _best_accuracy(run)

    found = {width: [value for run in runs if (value := of(run)) is not None] for width, runs in zip(widths, networks)}
    return {width: found[width] for width in sorted(found) if found[width]}


def _evaluated(run: Record) -> str:
    return "validation" if run.get("validation") else "test"


def _trained_name(run: Record) -> str:
    """A trained network by its family and width, and by what else is not usual."""
    *before, _, last = _architecture(run)
    name = f"{FAMILIES.get(run['family'], (run['family'],))[0]} {_width(run)}"
    if run["family"] != "deep_sparse":
        name += "".join(f" after {layer.width}" for layer in before)
    if run.get("activation") == "linear":
        name += " linear"
    return name if last.connectivity == 1.0 else f"{name}, last {last.connectivity:g}"


def _training_words(run: Record) -> str:
    """What is to be said of the training, for titles."""
    samples = _number(run, "samples")
    return ", ".join(([f"{samples:.0f} training samples"] if samples is not None else []) + [_titled(run)])


# The charts.


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
        ``"mean"`` or ``"median"`` over pairs. The mean is what the theory is about; a few pairs can rule it.
    normalisation
        Of the inputs, as records spell it. If None, that of the training runs, or the first that there is.
    get
        The kernel, ``"nngp"`` or ``"ntk"``. If None, the NNGP kernel where the records have it.
    tangent
        The convention of the tangent kernel, ``"standardised"`` or ``"paper"``. If None, the first that there is.
    width
        ``"column"``, ``"page"`` or a number of inches.
    ax
        Axes to draw on in place of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The left axes, logarithmic. The right one, if there is one, is the last of ``ax.figure.axes``.

    Raises
    ------
    ValueError
        Where there is no distance, none of that kernel or normalisation, or several networks of one width.
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
    rows = _rows(records, "distances")
    _one_of("statistic", statistic, ["mean", "median"])
    found = _distances(rows, normalisation, get, tangent)
    series: list[_Series] = []
    for method, (label, style) in METHODS.items():
        points = [_distance_point(row, statistic) for row in found if _method(row) == method]
        shown = [point for point in points if point is not None]
        if shown:
            series.append(_Series(label, style, shown, "--" if method.startswith("paper") else "-"))
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
    runs, accuracies = _of_kind(rows, "training"), _accuracies(rows, "sparse")
    right_label = ""
    if accuracies:
        errors = [_error_point(x, values) for x, values in accuracies.items()]
        label = f"{_evaluated(runs[0])} error ({_titled(runs[0])})"
        series.append(_Series(label, TEST_ERROR, errors, right=True))
        right_label = f"{_evaluated(runs[0])} error of the sparse networks"
    sampled = [row for row in found if _method(row) in DRAWN]
    masked = [row for row in sampled if _number(row, "connectivity") != 1.0]
    of_networks = ""
    for row in (masked or sampled)[:1]:
        # Dense networks have no masks.
        mask, law = MASKS.get(_text(row, "mask") or ""), LAWS.get(_text(row, "law") or "")
        of_networks += f", {mask} masks" if mask and masked else ""
        of_networks += f", {law} weights" if law else ""
    return _chart(
        ax,
        width,
        series,
        title=f"{KERNELS[_kernel(found[0])][1]} distance, {statistic} over pairs, {_titled(found[0])}{of_networks}",
        x_label="width",
        y_label=DISTANCE,
        x_ticks=[point.x for one in series for point in one.points],
        log=True,
        right_label=right_label,
        note=note,
    )


def _error_point(x: float, accuracies: Sequence[float]) -> _Point:
    return _mean_point(x, [1.0 - accuracy for accuracy in accuracies])


def _samples_pairs(row: Record) -> bool:
    """Whether the pairs are some of those of the data."""
    pairs = int(_number(row, "pairs") or 0)
    return pairs > 0 and not _method(row).endswith("_all") and _number(row, "pairs_of_data") != pairs


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
    found = _distances(_rows(records, "distances"), normalisation, get, tangent)
    series = []
    for method, (label, style) in METHODS.items():
        if method in DRAWN:
            continue
        for part, line in (("bias²", "-"), ("variance / n", "--")):
            points = []
            for row in found:
                value = _number(row, "bias_squared" if line == "-" else "variance")
                if _method(row) == method and value is not None:
                    points.append(_Point(_width(row), value if line == "-" else value / _width(row)))
            if points:
                series.append(_Series(f"{part}, {label}", style, points, line, marked=line == "-"))
    drawn = [METHODS[name][0] for name in METHODS if name in DRAWN and any(_method(row) == name for row in found)]
    if not series:
        raise ValueError(
            f"records: expected distances by a theory, which have bias^2 and variance, found "
            f"{', '.join(drawn) or 'none'}; run distance with the method 'theorem1'"
        )
    kernel = _kernel(found[0])
    of = "" if kernel == ("nngp", None) else f", {KERNELS[kernel][1].lower()}"
    return _chart(
        ax,
        width,
        series,
        title=f"The two parts of the distance{of}: bias² and variance / n, {_titled(found[0])}",
        x_label="width",
        y_label="mean over pairs",
        x_ticks=[point.x for one in series for point in one.points],
        log=True,
        note=f"Left out, as their bias² is mostly noise: {'; '.join(drawn)}." if drawn else "",
    )


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
    rows = _rows(records, "training runs")
    run = _expect(rows, "training")[0]
    sparse, dense = _accuracies(rows, "sparse"), _accuracies(rows, "dense")
    if not sparse and not dense:
        raise ValueError(
            "records: expected one sparse or dense network of each width with a finite accuracy, found none or "
            "several; pass the runs of one network of each width, or draw them by plot.widen or plot.heatmap"
        )
    base = _accuracies([row for row in rows if _number(row, "connectivity") == 1.0], "sparse")
    ticks = sorted({*sparse, *dense})
    series = []
    if sparse:
        budget = BUDGETS.get(_text(run, "mask") or "")
        points = [_mean_point(x, values) for x, values in sparse.items()]
        series.append(_Series("sparse" + (f", {budget}" if budget else ""), 1, points))
    for x, values in list(base.items())[:1]:
        # A level to compare other widths with.
        if ticks[-1] > x:
            level = float(np.mean(values))
            series.append(
                _Series(f"dense, width {x}", 0, [_Point(x, level), _Point(ticks[-1], level)], "--", marked=False)
            )
    if dense:
        points = [_mean_point(x, values) for x, values in sorted({**dense, **base}.items())]
        series.append(_Series("dense, every weight", 3, points))
    masked = any(
        _number(row, name) not in (None, 1.0) for row in rows for name in ("connectivity", "last_connectivity")
    )
    mask, law = MASKS.get(_text(run, "mask") or ""), LAWS.get(_text(run, "law") or "")
    words = [f"{mask} masks"] if mask and masked else []
    words += [f"{law} weights"] if law else []
    return _chart(
        ax,
        width,
        series,
        title=f"Accuracy on {_evaluated(run)} samples, {', '.join([*words, _training_words(run)])}",
        x_label="width",
        y_label=f"best {_evaluated(run)} accuracy",
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
    rows = _rows(records, "training runs")
    _expect(rows, "training")
    networks = _networks(rows)
    family = "sparse" if any(runs[0]["family"] == "sparse" for runs in networks) else "dense"
    of_family = sorted((runs for runs in networks if runs[0]["family"] == family), key=lambda runs: _width(runs[0]))
    every_diverged = all(run.get("diverged") for runs in of_family for run in runs)
    drawn = [[run for run in runs if every_diverged or not run.get("diverged")] for runs in of_family]
    epochs = max((len(_curve(run, "test_loss")) for runs in drawn for run in runs), default=0)
    if epochs == 0:
        raise ValueError("records: expected the losses of each epoch (the field 'curve'), found none; keep that field")
    first = of_family[0][0]
    series = []
    for style, (runs, shown) in enumerate(zip(of_family, drawn)):
        for kind, name, line in ((_evaluated(first), "test_loss", "-"), ("training", "training_loss", "--")):
            losses = [_curve(run, name) for run in shown]
            points = []
            for epoch in range(epochs):
                values = [loss[epoch] for loss in losses if epoch < len(loss)]
                if values:
                    points.append(_Point(epoch + 1, float(np.mean(values))))
            if points:
                series.append(_Series(f"{_trained_name(runs[0])}, {kind}", style, points, line, marked=False))
    lost = [(runs, sum(bool(run.get("diverged")) for run in runs)) for runs in of_family]
    named = [f"{_trained_name(runs[0])}, {count} of {_counted(len(runs), 'run')}" for runs, count in lost if count]
    note = (
        "Every run diverged." if every_diverged else f"Left out, as they diverged: {'; '.join(named)}." if named else ""
    )
    return _chart(
        ax,
        width,
        series,
        title=f"Cross-entropy, {_training_words(first)}",
        x_label="epoch",
        y_label="mean cross-entropy (mean over runs)",
        x_ticks=[tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick < epochs] + [epochs],
        log=True,
        note=note,
    )


def _prediction_kernel(row: Record) -> Kernel:
    name = str(_field(row, "predictor")).removesuffix("_regression")
    return ("nngp", None) if name == "nngp" else ("ntk", _text(row, "tangent") or "standardised")


def _predictions(rows: Sequence[Record], source: str, kernel: Kernel) -> list[Record]:
    """The predictions of a kernel under the normalisation of the training, or the first of the predictions."""
    found = _of_kind(rows, "prediction")
    first = [*_of_kind(rows, "training"), *found][:1]
    of = [row for row in found if row.get("source", "drawn") == source and _prediction_kernel(row) == kernel]
    return sorted(
        (row for row in of if _normalisation(row) == _normalisation(first[0])),
        key=lambda row: _number(row, "width") or 0.0,
    )


def _predicted_point(row: Record) -> _Point | None:
    """A predicted error with its 95 % interval over drawn networks, which two or fewer cannot tell."""
    x, error = _number(row, "width"), _number(row, "test_error")
    if x is None or error is None:
        return None
    if row.get("source", "drawn") != "drawn":
        return _Point(x, error)
    count, spread = int(_number(row, "initialisations") or 0), _number(row, "spread")
    if count < 3 or spread is None:
        return _Point(x, error, unknown=True)
    reach = _t_quantile(count - 1) * spread / math.sqrt(count)
    return _Point(x, error, (error - reach, error + reach))


def predictions(records: Sequence[Record], *, width: str | float = "column", ax: Axes | None = None) -> Axes:
    """Test error that kernel regression predicts, against width, beside that of trained networks.

    Parameters
    ----------
    records
        Of ``predict`` or ``figure``: dicts of kind ``"prediction"`` and, for trained errors, ``"training"``.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic: kernels of the last layer alone predict several times the error of those of all layers.

    Raises
    ------
    ValueError
        Where nothing was predicted.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> row = {"kind": "prediction", "predictor": "nngp_regression", "source": "drawn", "initialisations": 3}
    >>> records = [
    ...     {**row, "width": 8, "test_error": 0.3, "spread": 0.01},
    ...     {**row, "width": 64, "test_error": 0.2, "spread": 0.01},
    ... ]
    >>> plot.predictions(records).lines[0].get_ydata().tolist()
    [0.3, 0.2]
    """
    rows = _rows(records, "predicted errors")
    first = _expect(rows, "prediction")[0]
    kernels = list(dict.fromkeys(_prediction_kernel(row) for row in _of_kind(rows, "prediction")))
    series = []
    for source, of, line in (("drawn", "", "-"), ("masked_limit", ", infinite width, sparse", "--")):
        for kernel in kernels:
            points = [
                point for row in _predictions(rows, source, kernel) if (point := _predicted_point(row)) is not None
            ]
            if points:
                series.append(_Series(f"{KERNELS[kernel][0]} regression{of}", KERNELS[kernel][2], points, line))
    runs, trained = _of_kind(rows, "training"), _accuracies(rows, "sparse")
    if trained:
        points = [_error_point(x, values) for x, values in trained.items()]
        series.append(_Series(f"trained, best {_evaluated(runs[0])} error", TEST_ERROR, points))
    ticks = sorted({point.x for one in series for point in one.points})
    for kernel in kernels:
        for row in _predictions(rows, "dense_limit", kernel)[:1]:
            error = _number(row, "test_error")
            if error is not None and ticks:
                level = [_Point(ticks[0], error), _Point(ticks[-1], error)]
                label = f"{KERNELS[kernel][0]} regression, infinite width, dense"
                series.append(_Series(label, KERNELS[kernel][2], level, ":", marked=False))
    evaluated = _evaluated(first)
    data = _text(first, "data")
    words = ([data] if data else []) + [_training_words(first)]
    return _chart(
        ax,
        width,
        series,
        title=f"{'Predicted and trained' if trained else 'Predicted'} {evaluated} error, {', '.join(words)}",
        x_label="width",
        y_label=f"{evaluated} error",
        x_ticks=ticks,
        log=True,
    )


LEAVE_ONE_OUT = "NTK (tau = 1) regression, leave-one-out squared error"
PREDICTORS = {
    "NNGP regression": 1,
    "NTK (tau = 1) regression": 2,
    LEAVE_ONE_OUT: 5,
    "NTK (tau = p) regression": 4,
    "NNGP distance, mean": 0,
    "Eq. (4)": 3,
    "16 times the narrowest": 7,
}


def _scores(rows: Sequence[Record], widths: Sequence[int]) -> dict[str, dict[int, float]]:
    """For each predictor a number for each width, of which the least names the best width."""
    scores: dict[str, dict[int, float]] = {}

    def add(name: str, found: Iterable[Record], field: str) -> None:
        values = {_width(row): _number(row, field) for row in found}
        scores[name] = {width: math.inf if value is None else value for width, value in values.items()}

    for kernel, (name, _, _) in KERNELS.items():
        found = _predictions(rows, "drawn", kernel)
        add(f"{name} regression", found, "test_error")
        if name == "NTK (tau = 1)":
            add(LEAVE_ONE_OUT, found, "leave_one_out_squared_error")
    of_nngp = [row for row in _of_kind(rows, "distance") if _kernel(row) == ("nngp", None)]
    first = [*_of_kind(rows, "training"), *_of_kind(rows, "prediction")][0]
    of_nngp = [row for row in of_nngp if _normalisation(row) == _normalisation(first)]
    exact = [row for row in of_nngp if _method(row) == "theorem1"]
    add("NNGP distance, mean", exact or [row for row in of_nngp if _method(row) == "sampled"], "mean")
    add("Eq. (4)", [row for row in of_nngp if _method(row) == "paper"], "mean")
    scores["16 times the narrowest"] = {width: abs(math.log(width / (16 * min(widths)))) for width in widths}
    return scores


def _regrets(rows: Sequence[Record], final: bool) -> tuple[float, dict[str, float]]:
    """The budget of a setting, and what following each predictor costs there."""
    runs = [run for run in _of_kind(rows, "training") if run.get("family") == "sparse" and not run.get("validation")]

    def accuracy(run: Record) -> float:
        """A run that diverged, so that it has none, counts as a guess among the classes."""
        found = _number(run, "final_accuracy") if final else _best_accuracy(run)
        return 1.0 / _architecture(run)[-1].width if found is None else found

    networks = _networks(runs)
    trained = {_width(of[0]): float(np.mean([accuracy(run) for run in of])) for of in networks}
    if len(trained) < 3 or len(trained) < len(networks):
        raise ValueError(
            f"settings: expected three or more trained sparse networks of different widths in each, found "
            f"{len(networks)}; run predict with train=True and more widths"
        )
    if not _of_kind(rows, "prediction"):
        raise ValueError("settings: expected predicted errors in each setting, found none; pass the records of predict")
    regrets = {}
    for name, score in _scores(rows, list(trained)).items():
        known = {width: value for width, value in score.items() if width in trained and math.isfinite(value)}
        if known:
            regrets[name] = max(trained.values()) - trained[min(known, key=lambda width: known[width])]
    return max(_needed(run, "weights") for run in runs), regrets


def regret(
    settings: Iterable[Sequence[Record]],
    *,
    last_epoch: bool = False,
    width: str | float = "column",
    ax: Axes | None = None,
) -> Axes:
    """What a predictor's choice of width costs against the budget, a line for each predictor.

    Regret is the best mean test accuracy over the trained widths less that of the width that the predictor names; the
    mean over the settings of each budget.

    Parameters
    ----------
    settings
        For each setting - data, normalisation, budget - the records of ``predict`` with trained networks, as a list of
        lists; or a dict of such lists by name.
    last_epoch
        Whether accuracies are those after the last epoch instead of the best ones.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Linear in the regret. Predictors that lack a number in a setting are left out.

    Raises
    ------
    ValueError
        Where there are fewer than two budgets, or a setting lacks predictions or three trained widths.
    TypeError
        Where a setting is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> def setting(weights):
    ...     run = {"kind": "training", "family": "sparse", "connectivity": 1.0, "last_connectivity": 1.0}
    ...     row = {"kind": "prediction", "predictor": "nngp_regression", "source": "drawn"}
    ...     runs = [(8, 0.8), (32, 0.9), (128, 0.85)]
    ...     return [
    ...         *({**run, "width": n, "weights": weights, "best_accuracy": accuracy} for n, accuracy in runs),
    ...         *({**row, "width": n, "test_error": error} for n, error in ((8, 0.3), (32, 0.2), (128, 0.1))),
    ...     ]
    >>> ax = plot.regret([setting(6352), setting(12704)])
    >>> [round(float(y), 3) for y in ax.lines[0].get_ydata()]
    [0.05, 0.05]
    """
    groups = list(settings.values() if isinstance(settings, Mapping) else settings)
    if groups and isinstance(groups[0], Mapping):
        raise TypeError(
            "settings: expected a list of records for each setting, found one list; pass [records, records, ...]"
        )
    found = [_regrets(_rows(group, "records of a setting"), last_epoch) for group in groups]
    budgets = sorted({weights for weights, _ in found})
    if len(budgets) < 2:
        raise ValueError(
            f"settings: expected two or more budgets, found {len(budgets)}; pass the settings of others too"
        )
    series = []
    for name, style in PREDICTORS.items():
        if all(name in regrets for _, regrets in found):
            means = [float(np.mean([regrets[name] for of, regrets in found if of == weights])) for weights in budgets]
            series.append(_Series(name, style, [_Point(x, y) for x, y in zip(budgets, means)]))
    return _chart(
        ax,
        width,
        series,
        title=f"What a predictor's choice of width costs, mean over {len(found)} settings",
        x_label="weights",
        y_label="mean regret (test accuracy)",
        x_ticks=budgets,
        shares=True,
    )


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
        Of distances logarithmic, a mark at each theory's minimum. Of predicted errors linear; error bars are two
        standard errors of the difference from the least.

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
    _report(report, ["curve"], "optimum")
    if "by" in report:
        return _predicted_optimum(report, width, ax)
    _report(report, ["curve", "optima"], "optimum")
    if not report["curve"]:
        raise ValueError("report: expected a curve of one width or more, found none; pass what optimum returned")
    minima = {OLDER.get(one["method"], one["method"]): one for one in report["optima"]}
    series = []
    for method, line in (("theorem1", "-"), ("expansion", "-"), ("paper", "--")):
        label, style = METHODS[method]
        points = [_Point(_width(row), _theory(row, method)) for row in report["curve"]]
        end = ", falls to the end" if method in minima and minima[method].get("at_end") else ""
        series.append(_Series(label + end, style, points, line, marked=False))
        if method in minima and not end:
            # Found by its width: the curve holds it.
            at = minima[method]["at"]
            series.append(_Series("", style, [_Point(_width(at), _theory(at, method))], line=""))
    spec = report.get("spec", {})
    pairs = int(report.get("pairs") or spec.get("pairs") or 0)
    words = [f"{'median' if spec.get('median') else 'mean'} over {f'{pairs} ' if pairs else ''}pairs", _titled(spec)]
    weights = f" at {spec['weights']} weights" if "weights" in spec else ""
    ends = [_width(report["curve"][0]), _width(report["curve"][-1])]
    ticks = [ends[0]]
    while 0 < 2 * ticks[-1] < 0.8 * ends[1]:
        ticks.append(2 * ticks[-1])
    return _chart(
        ax,
        width,
        series,
        title=f"{KERNELS[_kernel(spec)][1]} distance{weights}, {', '.join(words)}",
        x_label="width",
        y_label=DISTANCE,
        x_ticks=[*ticks, ends[1]],
        log=True,
        note="Marks: the minimum by each." if minima else "",
    )


def _theory(row: Record, method: str) -> float:
    older = {"expansion": "moments"}.get(method, method)
    return _needed(row, method if method in row else older)


def _predicted_optimum(report: Mapping[str, Any], width: str | float, ax: Axes | None) -> Axes:
    spec = report["by"]
    points = []
    for row in report["curve"]:
        error, reach = _needed(row, "error"), 2.0 * _needed(row, "excess_error")
        interval = None if _width(row) == report.get("width") else (error - reach, error + reach)
        points.append(_Point(_width(row), error, interval))
    name = KERNELS[_kernel(spec)][0]
    return _chart(
        ax,
        width,
        [_Series(f"{name} regression, {_counted(int(spec.get('initialisations', 1)), 'drawn network')}", 1, points)],
        title=f"Error predicted by {name} regression, {spec.get('weights')} weights, {_titled(spec)}",
        x_label="width",
        y_label="leave-one-out error",
        shares=True,
        note="Error bars: two standard errors of the difference from the least.",
    )


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
    _one_of("show", show, ["scores", "values", "paper"])
    _report(report, ["cells"], "verify")
    cells = report["cells"]
    if not cells:
        raise ValueError("report: expected a cell or more, found none; pass what verify returned")
    if show == "paper":
        return _verified_paper(report, width, ax)
    if show == "values":
        exact = [check["theory"] for cell in cells for check in cell["checks"]]
        series = [_Series("equal", 3, [_Point(end, end) for end in (min(exact), max(exact))], "--", marked=False)]
        for style, quantity in enumerate(QUANTITIES):
            checks = [cell["checks"][style] for cell in cells]
            ends = [(check["estimate"], 2.0 * check["standard_error"]) for check in checks]
            points = [_Point(check["theory"], y, (y - reach, y + reach)) for check, (y, reach) in zip(checks, ends)]
            series.append(_Series(quantity, style, points, line=""))
        return _chart(
            ax,
            width,
            series,
            title="Estimated against exact",
            x_label="Theorem 1",
            y_label="sampled networks",
            log=True,
            note="Error bars: two standard errors.",
        )
    series, untested = [], []
    for style, quantity in enumerate(QUANTITIES):
        points = []
        for cell in cells:
            check = cell["checks"][style]
            if abs(check.get("skewness") or 0.0) <= MOST_SKEWNESS:
                z = (check["estimate"] - check["theory"]) / check["standard_error"]
                points.append(_Point(cell["connectivity"] * cell["dimension"], z))
        series.append(_Series(quantity, style, points, line=""))
        if len(points) < len(cells):
            untested.append(f"{quantity} of {_counted(len(cells) - len(points), 'cell')}")
    kernel = _kernel(report.get("spec", {}))
    sampled = "Sampled" if kernel == ("nngp", None) else f"{KERNELS[kernel][1]}: sampled"
    said = "; ".join(untested)
    return _chart(
        ax,
        width,
        series,
        title=f"{sampled} networks against Theorem 1, {_counted(len(cells), 'cell')}",
        x_label="weights per row, d p",
        y_label="deviation in standard errors",
        x_ticks=[cell["connectivity"] * cell["dimension"] for cell in cells],
        note=f"Left out, as the mean over initialisations is too skewed for a test: {said}." if said else "",
    )


def _verified_paper(report: Mapping[str, Any], width: str | float, ax: Axes | None) -> Axes:
    points = report.get("paper") or []
    if not points:
        raise ValueError(
            "show = 'paper': the report has no values of Eq. (4), which is that of the NNGP kernel; use another"
        )

    def name(point: Record) -> str:
        normalisation = _normalisation(point)
        return str(point["data"]) if normalisation == "none" else f"{point['data']}, {normalisation}"

    names = list(dict.fromkeys(name(point) for point in points))
    series: list[_Series] = []
    dimensions: list[int] = []
    for style, of in enumerate(names):
        here = [point for point in points if name(point) == of]
        exact = [_Point(point["weights_per_row"], sum(point["exact"])) for point in here]
        series.append(_Series(f"Theorem 1, {of}", style, exact))
        # Eq. (4) takes no inputs: one curve for each dimension.
        if here[0]["dimension"] not in dimensions:
            dimensions.append(here[0]["dimension"])
            paper = [_Point(point["weights_per_row"], sum(point["paper"])) for point in here]
            series.append(_Series(f"Eq. (4), d = {dimensions[-1]}", len(names) + len(dimensions), paper, "--"))
    return _chart(
        ax,
        width,
        series,
        title="Kernel distance at n p = 8, mean over pairs: Eq. (4) and Theorem 1",
        x_label="weights per row, d p",
        y_label=DISTANCE,
        x_ticks=[point["weights_per_row"] for point in points],
        log=True,
    )


def masks(
    report: Mapping[str, Any] | Sequence[Record],
    *,
    get: str | None = None,
    tangent: str | None = None,
    width: str | float = "column",
    ax: Axes | None = None,
) -> Axes:
    """Distance of given masks against the density of their first layer, with curves of random masks.

    Parameters
    ----------
    report
        ``masks.json`` as a dict, or what ``mask_distance`` returned; curves of random masks are drawn where there are
        some.
    get, tangent
        The kernel, as for :func:`distance`.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic. Up to ten masks have a mark of their own.

    Raises
    ------
    ValueError
        Where there is no distance, or none of that kernel.
    TypeError
        Where ``report`` is neither a dict nor a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> record = {"file": "pruned.npz", "density": 0.1, "distance": 3e-3}
    >>> plot.masks([record]).lines[0].get_ydata().tolist()
    [0.003]
    """
    if not isinstance(report, Mapping):
        report = {"records": _rows(report, "distances of masks")}
    rows = _rows(_report(report, ["records"], "mask_distance")["records"], "distances of masks")
    for row in rows:
        _field(row, "density")
    kernels = list(dict.fromkeys(_kernel(row) for row in rows))
    wanted = [kernel for kernel in kernels if get in (None, kernel[0]) and tangent in (None, kernel[1])]
    if not wanted:
        named = " and ".join(repr(name) for name, _ in kernels)
        raise ValueError(f"get = {get!r}, tangent = {tangent!r}: the report has {named}; choose one of these")
    kernel = wanted[0]
    rows = [row for row in rows if _kernel(row) == kernel]
    series = []
    curve = [row for row in report.get("curves") or [] if (row.get("kernel") or "nngp") == kernel[0]]
    for style, (family, units) in enumerate(dict.fromkeys((row["family"], row["width"]) for row in curve)):
        fan_in = family == "constant_fan_in"
        here = [row for row in curve if (row["family"], row["width"]) == (family, units)]
        points = [_Point(row["density"], row["distance"]) for row in here]
        label = f"random, {'constant fan-in' if fan_in else 'unstructured'}, width {units}"
        series.append(_Series(label, style, points, "--" if fan_in else "-", marked=False))
    lines = len(series)
    marks = [_Point(_needed(row, "density"), _compared(row)) for row in rows]
    if len(rows) <= 10:
        for place, (row, point) in enumerate(zip(rows, marks)):
            series.append(_Series(_mask_name(row), lines + place, [point], line=""))
    else:
        series.append(_Series("given masks", lines, sorted(marks), line=""))
    of = _text(report, "inputs")
    compared, pairs = _number(rows[0], "compared_pairs"), _number(rows[0], "pairs")
    some = f"{compared:.0f} of " if compared is not None and pairs is not None and compared < pairs else ""
    dimension = _number(rows[0], "inputs") if isinstance(rows[0].get("inputs"), (int, float)) else None
    words = [f"d = {dimension:.0f}."] if dimension is not None else []
    words += ["Lines: mean over random masks."] if lines else []
    return _chart(
        ax,
        width,
        series,
        title=f"{KERNELS[kernel][1]} distance of given masks, mean over {some}{of or 'pairs'}",
        x_label="density of the first layer",
        y_label=DISTANCE,
        log=True,
        note=" ".join(words),
        # One mask that differs from all others is no outlier to be left out.
        whole=True,
    )


def _compared(row: Record) -> float:
    """The distance over the pairs that random masks have."""
    compared = _number(row, "compared_distance")
    return _needed(row, "distance") if compared is None else compared


def _mask_name(row: Record) -> str:
    name = str(row.get("file") or row.get("name") or row.get("mask") or "given mask")
    return re.sub(r"\.(npz|safetensors)$", "", re.split(r"[/\\]", name)[-1])


def budget(
    counts: Mapping[str, Any],
    shapes: Mapping[str, Any] | None = None,
    *,
    title: str = "",
    width: str | float = "column",
    ax: Axes | None = None,
) -> Axes:
    """The weights of each layer as bars on a logarithmic axis, and the part that is kept.

    Parameters
    ----------
    counts
        What each layer keeps, as ``allocate`` returns it; or masks, as ``draw_masks`` and ``load_masks`` do.
    shapes
        The shape of each layer, or an array that has it. Masks have shapes of their own.
    title
        Above the picture. If empty, how many weights are kept.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        A grey bar for all weights of a layer, and within it a blue one for those that it keeps.

    Raises
    ------
    ValueError
        Where there is no layer, or a layer has no shape.
    TypeError
        Where ``counts`` is not a dict.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> ax = plot.budget({"0.weight": 500, "2.weight": 100}, {"0.weight": (30, 40), "2.weight": (10, 30)})
    >>> [int(bar.get_height()) for bar in ax.patches]
    [1200, 300, 500, 100]
    """
    for name, value in (("counts", counts), ("shapes", shapes)):
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(
                f"{name}: expected a dict of layers, found {type(value).__name__}; pass what allocate takes and returns"
            )
    if not counts:
        raise ValueError("counts: expected a layer or more, found none; pass what allocate returned")
    kept, every = [], []
    for name, count in counts.items():
        masked = np.ndim(count) > 0
        shape: Any = count if masked else (shapes or {}).get(name)
        if shape is None:
            raise ValueError(
                f"shapes: expected one for {name!r}, found none; pass those that the weights were divided over"
            )
        kept.append(int(np.count_nonzero(count)) if masked else int(count))
        every.append(int(np.prod([int(size) for size in getattr(shape, "shape", shape)])))
    axes, height = _new_axes(ax, width)
    _style(axes)
    axes.grid(False, axis="x")
    places = np.arange(len(kept))
    axes.set_yscale("log")
    # From half a weight on, so that a single one has a bar.
    axes.bar(places, every, width=0.8, bottom=0.0, color="#c8c8c8", label="all weights")
    axes.bar(places, kept, width=0.55, bottom=0.0, color=_colour(1), label="kept")
    axes.set_ylim(0.5, 2.0 * max(every))
    axes.set_xlim(-0.6, len(kept) - 0.4)
    axes.set_xticks(places, list(map(str, counts)), rotation=90, fontsize=SMALL if len(kept) <= 24 else 5.0)
    axes.tick_params(axis="x", length=0.0)
    axes.set_ylabel("weights", fontsize=LARGE, labelpad=2.0)
    empty = [str(name) for name, count in zip(counts, kept) if count == 0]
    handles = [
        Line2D([], [], color=colour, linewidth=4.0, label=label)
        for colour, label in (("#c8c8c8", "all weights"), (_colour(1), "kept"))
    ]
    title = title or f"{sum(kept)} of {sum(every)} weights kept"
    note = f"Layers without a weight: {', '.join(empty)}." if empty else ""
    _finish(axes, height, title, [note], handles)
    return axes


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
    rows = _expect(_rows(records, "training runs"), "training")
    known = list(dict.fromkeys(str(run.get("activation", "relu")) for run in rows))
    activation = known[0] if activation is None else _one_of("activation", activation, known)
    runs = [run for run in rows if run.get("activation", "relu") == activation]
    first = runs[0]
    # Of all activations, so that their maps have the same cells.
    widths = sorted({_width(run) for run in rows})
    last = sorted({_architecture(run)[-1].connectivity for run in rows}, reverse=True)
    cells = np.full((len(last), len(widths)), np.nan)
    diverged = []
    for row, connectivity in enumerate(last):
        for column, units in enumerate(widths):
            here = [run for run in runs if _width(run) == units and _architecture(run)[-1].connectivity == connectivity]
            found = [accuracy for run in here if (accuracy := _best_accuracy(run)) is not None]
            if found:
                cells[row, column] = 100.0 * float(np.mean(found))
            elif here:
                diverged.append((column, row))
    axes, height = _new_axes(ax, width)
    _style(axes)
    axes.grid(False)
    values = cells[np.isfinite(cells)]
    low, high = (_Range(sorted(values), 0.1).low, float(values.max())) if len(values) else (0.0, 1.0)
    room = max(0.1 - (high - low) / 2.0, 0.0)
    image = axes.imshow(
        np.where(np.isfinite(cells), cells, np.nan),
        cmap="viridis",
        vmin=low - room,
        vmax=high + room,
        aspect="auto",
        interpolation="none",
    )
    size = min(SMALL, 72.0 * 0.75 * _figure(axes).get_size_inches()[0] / len(widths) / 3.2)
    for row, column in zip(*np.nonzero(np.isfinite(cells))):
        red, green, blue, _ = image.cmap(image.norm(cells[row, column]))
        ink = "black" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.55 else "white"
        star = "★" if cells[row, column] == values.max() else ""
        axes.text(column, row, f"{cells[row, column]:.1f}{star}", ha="center", va="center", color=ink, fontsize=size)
    for column, row in diverged:
        axes.text(column, row, "div.", ha="center", va="center", fontsize=size)
    weights = _budget(first)
    across = [weights / ((_needed(first, "dimension") + _architecture(first)[-1].width) * units) for units in widths]
    axes.set_xticks(
        range(len(widths)), [f"{_two_digits(p)}\n{units}" for p, units in zip(across, widths)], fontsize=size
    )
    axes.set_yticks(range(len(last)), [f"{connectivity:.4g}" for connectivity in last], fontsize=SMALL)
    axes.set_xlabel("overall connectivity, and width", fontsize=LARGE, labelpad=2.0)
    axes.set_ylabel("connectivity of the last layer", fontsize=LARGE, labelpad=2.0)
    notes = [
        f"★: the best. {'div.: every run diverged.' if diverged else ''}" if len(values) else "Every run diverged."
    ]
    if len(values):
        scale = axes.inset_axes((1.03, 0.0, 0.035, 1.0))
        bar = _figure(axes).colorbar(image, cax=scale, ticks=[low - room, high + room])
        bar.outline.set_visible(False)
        least = "≤ " if low > values.min() else ""
        scale.set_yticklabels([f"{least}{low - room:.1f}", f"{high + room:.1f}"], fontsize=SMALL)
        scale.tick_params(length=0.0, pad=2.0)
    name = {"relu": "ReLU"}.get(activation, activation)
    words = [f"Best {_evaluated(first)} accuracy in %", name, f"{weights} weights"]
    words += [f"{first['samples']} training samples"] if "samples" in first else []
    words += [_counted(int(first["epochs"]), "epoch")] if "epochs" in first else []
    _finish(axes, height, ", ".join(words), notes)
    return axes


def _budget(run: Record) -> int:
    """The weights that are expected in all layers but the last, and those that its last one keeps."""
    *hidden, last = _architecture(run)
    inputs, total = _needed(run, "dimension"), 0.0
    for layer in hidden:
        total += inputs * layer.width * layer.connectivity
        inputs = layer.width
    return round(total + round(last.connectivity * last.width * inputs))


def _two_digits(value: float) -> str:
    """Two digits that are not zeros, of however small a number."""
    digits = next((digits for digits in range(2, 6) if value * 10**digits >= 5.0), None)
    return f"{value:.1e}" if digits is None else f"{value:.{digits}f}"


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
        tried = _rows(_report(report, ["tried"], "tune")["tried"], "learning rates that were tried")
        spec = report.get("spec", {}).get("training", {})
    else:
        tried, spec = _rows(report, "learning rates that were tried"), {}
    # A network by itself or as fields of the trial.
    trials = [{**trial, **trial["network"]} if isinstance(trial.get("network"), Mapping) else trial for trial in tried]
    for trial in trials:
        for name in ("architecture", "learning_rate", "error", "stage"):
            _field(trial, name)
    last = max(int(trial["stage"]) for trial in trials)
    networks = dict.fromkeys((str(trial.get("family", "sparse")), str(trial["architecture"])) for trial in trials)
    series = []
    for style, network in enumerate(networks):
        of = [trial for trial in trials if (str(trial.get("family", "sparse")), str(trial["architecture"])) == network]
        for stage, line in ((last, "-"), (0, "--"))[: 1 + min(last, 1)]:
            points = []
            here = [trial for trial in of if int(trial["stage"]) == stage]
            for trial in sorted(here, key=lambda trial: float(trial["learning_rate"])):
                rate, error, spread = (_number(trial, name) for name in ("learning_rate", "error", "standard_error"))
                y = math.nan if error is None else error
                interval = None if spread is None else (y - 2.0 * spread, y + 2.0 * spread)
                points.append(_Point(rate or math.nan, y, interval, unknown=interval is None and line == "-"))
            if points:
                *before, hidden, _ = _architecture(of[0])
                name = f"{FAMILIES.get(network[0], network)[0]} {hidden.width}"
                name += "".join(f" after {layer.width}" for layer in before)
                epochs = _counted(int(_number(here[0], "epochs") or 0), "epoch")
                series.append(_Series(f"{name}, {epochs}", style, points, line, marked=line == "-"))
    words = [_titled(spec)] if "normalisation" in spec else []
    words += [_counted(int(spec["epochs"]), "epoch")] if "epochs" in spec else []
    return _chart(
        ax,
        width,
        series,
        title=", ".join(["Learning rates: validation error", *words]),
        x_label="learning rate",
        y_label="validation error",
        x_ticks=[float(trial["learning_rate"]) for trial in trials if int(trial["stage"]) == 0],
        log=True,
        shares=True,
        note="Means over runs, error bars: two standard errors. Diverged runs have error 1.",
    )


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
    _one_of("show", show, ["accuracy", "distance"])
    rows = _rows(records, "training runs")
    run = _expect(rows, "training")[0]
    if show == "distance":
        return _widen_distance(rows, width, ax)
    series = []
    for way in WAYS:
        label, style = FAMILIES[way]
        points = [_mean_point(x, values) for x, values in _accuracies(rows, way).items()]
        if points:
            series.append(_Series(label, style, points))
    ticks = sorted({point.x for one in series for point in one.points})
    is_base = [
        runs
        for runs in _networks(rows)
        if runs[0]["family"] == "sparse" and runs[0].get("activation", "relu") == "relu"
        if _number(runs[0], "connectivity") == 1.0
    ]
    for runs in is_base[:1]:
        found = [accuracy for run in runs if (accuracy := _best_accuracy(run)) is not None]
        if found and len(ticks) > 1:
            level = float(np.mean(found))
            points = [_Point(ticks[0], level), _Point(ticks[-1], level)]
            series.append(_Series(f"dense, width {_width(runs[0])}", 4, points, "--", marked=False))
    return _chart(
        ax,
        width,
        series,
        title=f"Ways to widen at a fixed number of weights: {_training_words(run)}",
        x_label="width of the last hidden layer",
        y_label=f"best {_evaluated(run)} accuracy",
        x_ticks=ticks,
        shares=True,
    )


def _widen_distance(rows: Sequence[Record], width: str | float, ax: Axes | None) -> Axes:
    found = _expect(rows, "distance")
    series = []
    for way in WAYS:
        label, style = FAMILIES[way]
        hidden = [_architecture(runs[0])[:-1] for runs in _networks(rows) if runs[0]["family"] == way]
        for method, of, line in (("sampled", "sampled", ""), ("theorem1", "theory", "--")):
            points = []
            for layers in hidden:
                for row in found:
                    unit = _number(row, "reference_square")
                    if _method(row) == method and _alike(_architecture(row), layers) and unit:
                        point = _distance_point(row, "mean")
                        assert point is not None
                        ends = point.interval if method == "sampled" else None
                        interval = (ends[0] / unit, ends[1] / unit) if ends else None
                        points.append(point._replace(y=point.y / unit, interval=interval))
                        break
            if points:
                series.append(_Series(f"{label}, {of}", style, sorted(points), line, marked=not line))
    if not series:
        raise ValueError("records: expected distances of the trained networks, found none; use show = 'accuracy'")
    return _chart(
        ax,
        width,
        series,
        title=f"Kernel distance at initialisation, {_titled(found[0])}",
        x_label="width of the last hidden layer",
        y_label="mean squared distance / mean squared infinite-width kernel",
        x_ticks=[point.x for one in series for point in one.points],
        log=True,
    )


def _alike(network: Sequence[_Layer], other: Sequence[_Layer]) -> bool:
    """Whether networks have the same layers, whichever weights exist; connectivities that were rounded are the same."""
    return [layer[:2] for layer in network] == [layer[:2] for layer in other] and all(
        math.isclose(one.connectivity, two.connectivity, rel_tol=1e-9) for one, two in zip(network, other)
    )
