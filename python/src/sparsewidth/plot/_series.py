"""What is drawn: series of points, with intervals where they are known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Point(NamedTuple):
    x: float
    y: float
    interval: tuple[float, float] | None = None
    # Whether there is an interval that nobody knows.
    unknown: bool = False


class Series(NamedTuple):
    label: str
    style: int
    points: Sequence[Point]
    line: str = "-"
    marked: bool = True
    right: bool = False


def level(label: str, style: int, ends: tuple[float, float], y: float, line: str = "--") -> Series:
    """A level line to compare points with."""
    return Series(label, style, [Point(x, y) for x in ends], line, marked=False)


def xs_of(series: Iterable[Series]) -> list[float]:
    return sorted({point.x for one in series for point in one.points})


def around(x: float, y: float, reach: float) -> Point:
    """A point in the middle of its interval."""
    return Point(x, y, (y - reach, y + reach))


def _mean_point(x: float, values: Sequence[float]) -> Point:
    """A mean over runs with its 95 % interval, which is not known of one run."""
    center = float(np.mean(values)) if values else math.nan
    if len(values) < 2:
        return Point(x, center, unknown=True)
    return around(x, center, reach_of_mean(float(np.std(values, ddof=1)), len(values)))


def mean_points(accuracies: Mapping[int, Sequence[float]]) -> list[Point]:
    """Mean accuracies against width."""
    return [_mean_point(width, values) for width, values in accuracies.items()]


def error_points(accuracies: Mapping[int, Sequence[float]]) -> list[Point]:
    """Mean errors against width."""
    return mean_points({width: [1.0 - value for value in values] for width, values in accuracies.items()})


def reach_of_mean(deviation: float, count: int) -> float:
    """Half of the 95 % interval of a mean, by the standard deviation of what it is taken over."""
    return t_quantile(count - 1) * deviation / math.sqrt(count)


def t_quantile(degrees: int) -> float:
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
