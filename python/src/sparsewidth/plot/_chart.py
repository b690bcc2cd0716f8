"""Series over a logarithmic abscissa, with what the axes do not hold in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ._axis import limits, set_log_ticks
from ._layout import finish
from ._series import Series
from ._style import GREY, LARGE, MARKERS, abscissa, colour_of, new_axes, set_style, short

UNKNOWN = "95 % interval not known"


def chart(
    ax: Axes | None,
    width: str | float,
    series: Sequence[Series],
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
    # By side: those of the left axis, and those of the right one.
    drawn = {
        right: [point for one in series if one.right == right for point in one.points if math.isfinite(point.y)]
        for right in (False, True)
    }
    if not any(drawn.values()):
        raise ValueError(f"records: no finite number to draw in {title!r}; look whether every run diverged")
    axes, height = new_axes(ax, width)
    notes = []
    if log and drawn[False] and not any(point.y > 0.0 for point in drawn[False]):
        log = False
        notes.append("No value is above 0, so the axis is linear.")
    axes.set_xscale("log")
    if log:
        axes.set_yscale("log")
    sides = {False: axes}
    if any(one.right for one in series):
        sides[True] = axes.twinx()
        set_style(sides[True])
        sides[True].spines["right"].set_visible(True)
        sides[True].grid(False)
    for right, side in sides.items():
        if drawn[right]:
            side.set_ylim(*limits(drawn[right], log and not right, shares or right, whole))
            if log and not right:
                set_log_ticks(side)
    places = [point.x for one in series for point in one.points if point.x > 0.0]
    room = math.exp(max(0.04 * math.log(max(places) / min(places)), 0.02))
    low, high = min(places) / room, max(places) * room
    if len(set(places)) == 1:
        low, high = low / 2.1, high * 2.1
    axes.set_xlim(low, high)
    lines = [_draw(sides[one.right], one, log and not one.right) for one in series]
    handles = [line for line, one in zip(lines, series) if one.label]
    notes += _lost(series, sides, log)
    if any(point.unknown for points in drawn.values() for point in points):
        hollow: dict[str, Any] = {"marker": "o", "markersize": 3.5, "markerfacecolor": "white"}
        handles.append(Line2D([], [], color=GREY, linestyle="none", label=UNKNOWN, **hollow))
    axes.set_xlabel(x_label, fontsize=LARGE, labelpad=2.0)
    for side, label in zip(sides.values(), (y_label, right_label)):
        side.set_ylabel(label, fontsize=LARGE, labelpad=2.0)
    finish(axes, height, title, [*notes, note], handles, sides.get(True), sorted(set(x_ticks)))
    return axes


def _draw(ax: Axes, series: Series, log: bool) -> Line2D:
    """One series: its line, error bars and markers."""
    shown = [point for point in series.points if math.isfinite(point.y) and (point.y > 0.0 or not log)]
    colour, marker = colour_of(series.style), MARKERS[series.style % len(MARKERS)]
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


def _lost(series: Sequence[Series], sides: Mapping[bool, Axes], log: bool) -> list[str]:
    """What the axes do not hold, in words."""
    beyond: list[str] = []
    unseen: list[str] = []
    cut: list[str] = []
    for one in series:
        low, high = sides[one.right].get_ylim()
        zeros, ends = [], []
        for point in one.points:
            if log and not one.right and point.y <= 0.0:
                zeros.append(abscissa(point.x))
            elif math.isfinite(point.y) and not low <= point.y <= high:
                beyond.append(f"{one.label}, {short(point.y)} at {abscissa(point.x)}")
            elif point.interval and (point.interval[0] < low or point.interval[1] > high):
                ends.append(abscissa(point.x))
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
