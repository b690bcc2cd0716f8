"""Charts of given masks, and of the weights that layers keep."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..budgets import shapes as shapes_of
from ._chart import chart
from ._layout import finish
from ._records import (
    DISTANCE,
    KERNELS,
    Record,
    check_report,
    field_of,
    kernel_of,
    left_out,
    needed,
    number_of,
    rows_of,
    text_of,
    wanted_kernels,
)
from ._series import Point, Series
from ._style import LARGE, SMALL, colour_of, new_axes


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
        If there is no distance at all, or none for that kernel.
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
        report = {"records": rows_of(report, "distances of masks")}
    rows = rows_of(check_report(report, ["records"], "mask_distance")["records"], "distances of masks")
    for row in rows:
        field_of(row, "density")
    kernel, *others = wanted_kernels(rows, get, tangent)
    rows = [row for row in rows if kernel_of(row) == kernel]
    series = []
    curve = [row for row in report.get("curves") or [] if (row.get("kernel") or "nngp") == kernel[0]]
    for style, (family, units) in enumerate(dict.fromkeys((row["family"], row["width"]) for row in curve)):
        fan_in = family == "constant_fan_in"
        here = [row for row in curve if (row["family"], row["width"]) == (family, units)]
        points = [Point(row["density"], row["distance"]) for row in here]
        label = f"random, {'constant fan-in' if fan_in else 'unstructured'}, width {units}"
        series.append(Series(label, style, points, "--" if fan_in else "-", marked=False))
    lines = len(series)
    marks = [Point(needed(row, "density"), _compared(row)) for row in rows]
    if len(rows) <= 10:
        for place, (row, point) in enumerate(zip(rows, marks)):
            series.append(Series(_mask_name(row), lines + place, [point], line=""))
    else:
        series.append(Series("given masks", lines, sorted(marks), line=""))
    of = text_of(report, "inputs")
    compared, pairs = number_of(rows[0], "compared_pairs"), number_of(rows[0], "pairs")
    some = f"{compared:.0f} of " if compared is not None and pairs is not None and compared < pairs else ""
    dimension = number_of(rows[0], "inputs") if isinstance(rows[0].get("inputs"), (int, float)) else None
    words = [f"d = {dimension:.0f}."] if dimension is not None else []
    words += ["Lines: mean over random masks."] if lines else []
    words += [left_out(others)] if others else []
    return chart(
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
    compared = number_of(row, "compared_distance")
    return needed(row, "distance") if compared is None else compared


def _mask_name(row: Record) -> str:
    name = str(row.get("file") or row.get("name") or row.get("mask") or "given mask")
    return re.sub(r"\.(npz|safetensors)$", "", re.split(r"[/\\]", name)[-1])


def _kept(name: object, count: object, size: int) -> int:
    """What a layer keeps, of so many weights."""
    if isinstance(count, np.ndarray) and count.ndim == 0:
        count = count[()]
    if isinstance(count, (bool, np.bool_)) or not isinstance(count, (int, float, np.integer, np.floating)):
        raise TypeError(f"counts[{name!r}] = {count!r}: is a {type(count).__name__}; pass what allocate returned")
    if count != math.floor(count) if math.isfinite(count) else True:
        raise ValueError(f"counts[{name!r}] = {count}: expected a whole number of weights; pass what allocate returned")
    if not 0 <= count <= size:
        raise ValueError(f"counts[{name!r}] = {count}: expected 0 to {size}, the layer's size; pass its own shape")
    return int(count)


def budget(
    counts: Mapping[str, Any],
    shapes: Mapping[str, Any] | str | PathLike[str] | None = None,
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
        The shape of each layer, or an array that has it; or what ``allocate`` takes, such as ``"resnet18:16"``. Masks
        have shapes of their own.
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
        Where there is no layer, a layer has no shape, or a count is not a whole number from 0 to the layer's size.
    TypeError
        Where ``counts`` is not a dict, or a count is not a number.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> ax = plot.budget({"0.weight": 500, "2.weight": 100}, {"0.weight": (30, 40), "2.weight": (10, 30)})
    >>> [int(bar.get_height()) for bar in ax.patches]
    [1200, 300, 500, 100]
    """
    if isinstance(shapes, (str, PathLike)):
        shapes = shapes_of(shapes)
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
        sizes = getattr(shape, "shape", shape)
        if not isinstance(sizes, Iterable) or isinstance(sizes, str):
            raise TypeError(f"shapes[{name!r}] = {shape!r}: expected a shape or an array; pass what allocate takes")
        every.append(math.prod(int(size) for size in sizes))
        kept.append(int(np.count_nonzero(count)) if masked else _kept(name, count, every[-1]))
    axes, height = new_axes(ax, width)
    axes.grid(False, axis="x")
    places = np.arange(len(kept))
    axes.set_yscale("log")
    # From half a weight on, so that a single one has a bar.
    handles = []
    for label, heights, wide, colour in (("all weights", every, 0.8, "#c8c8c8"), ("kept", kept, 0.55, colour_of(1))):
        axes.bar(places, heights, width=wide, bottom=0.0, color=colour, label=label)
        handles.append(Line2D([], [], color=colour, linewidth=4.0, label=label))
    axes.set_ylim(0.5, 2.0 * max(every))
    axes.set_xlim(-0.6, len(kept) - 0.4)
    axes.set_xticks(places, list(map(str, counts)), rotation=90, fontsize=SMALL if len(kept) <= 24 else 5.0)
    axes.tick_params(axis="x", length=0.0)
    axes.set_ylabel("weights", fontsize=LARGE, labelpad=2.0)
    empty = [str(name) for name, count in zip(counts, kept) if count == 0]
    title = title or f"{sum(kept)} of {sum(every)} weights kept"
    note = f"Layers without a weight: {', '.join(empty)}." if empty else ""
    finish(axes, height, title, [note], handles)
    return axes
