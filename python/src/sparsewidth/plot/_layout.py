"""Fit title, legend and notes into the available space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from ._axis import set_x_ticks
from ._style import LARGE, SMALL, balanced, figure_of, text_width, wrap


def finish(
    ax: Axes,
    height: float | None,
    title: str,
    notes: Sequence[str],
    handles: Sequence[Line2D] = (),
    right: Axes | None = None,
    x_ticks: Sequence[float] | None = None,
) -> None:
    """Fit ticks, title, legend and notes into the available space; then set the height of a figure that we made."""
    figure = figure_of(ax)
    points = 72.0 / figure.dpi
    sides = [side for side in (ax, right) if side is not None]
    for side in sides:
        # On axes that the caller gave, legend and notes take part of the axes' height.
        tall = 72.0 * height if height else 0.75 * ax.bbox.height * points
        side.set_ylabel(balanced(side.get_ylabel(), LARGE, 1.1 * tall))
    figure.draw_without_rendering()
    if x_ticks is not None:
        set_x_ticks(ax, x_ticks)
    figure.draw_without_rendering()
    boxes = [box for side in sides if (box := side.get_tightbbox()) is not None]
    left = (ax.bbox.x0 - min(box.x0 for box in boxes)) * points
    room = (max(box.x1 for box in boxes) - min(box.x0 for box in boxes)) * points
    # Type is a little longer at other resolutions.
    below = 1.05 * (ax.bbox.y0 - min(box.y0 for box in boxes)) * points + 3.0
    ax.set_title(wrap(title, LARGE, room - left), fontsize=LARGE, loc="left", pad=4.0)
    if handles:
        _hidden_are_wider(ax, handles)
        labels = [wrap(str(handle.get_label()), SMALL, room - 25.0) for handle in handles]
        widths = [max(text_width(line, SMALL) for line in label.split("\n")) for label in labels]
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
    words = "\n".join(wrap(note, SMALL, room) for note in notes if note)
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
    reach = 1.5 * figure_of(ax).dpi / 72.0
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
