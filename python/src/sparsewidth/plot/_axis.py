"""The ends and the ticks of axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

from ._series import Point
from ._style import SMALL, abscissa, figure_of, text_width


class Range:
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


def limits(points: Sequence[Point], log: bool, shares: bool, whole: bool) -> tuple[float, float]:
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
    found = Range(places, least)
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


def set_log_ticks(ax: Axes) -> None:
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


def set_x_ticks(ax: Axes, x_ticks: Sequence[float]) -> None:
    """Those of some ticks that a horizontal logarithmic axis has room for; round numbers in place of a single one."""
    low, high = ax.get_xlim()
    ticks = [tick for tick in x_ticks if low <= tick <= high]
    if len(ticks) < 2 and high / low < 300.0:
        ticks = _round_ticks(low, high)
    if len(ticks) > 1:
        ticks = _with_room(ax, ticks)
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter(FixedFormatter([abscissa(tick) for tick in ticks]))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())


def _with_room(ax: Axes, ticks: Sequence[float]) -> list[float]:
    """Those of some ticks whose labels have room beside each other: the first and the last one before others."""
    length, (low, high) = ax.bbox.width * 72.0 / figure_of(ax).dpi, ax.get_xlim()
    kept: dict[float, tuple[float, float]] = {}
    for tick in [*ticks[:1], *ticks[-1:], *ticks]:
        middle = length * math.log(tick / low) / math.log(high / low)
        half = text_width(abscissa(tick), SMALL) / 2.0 + 2.0
        if all(middle - half > end or middle + half < start for start, end in kept.values()):
            kept[tick] = (middle - half, middle + half)
    return sorted(kept)
