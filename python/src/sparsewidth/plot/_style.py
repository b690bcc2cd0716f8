"""Sizes, colours and words of a paper's figure."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

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


def colour_of(style: int) -> str:
    return PALETTE[style % len(PALETTE)]


def new_axes(ax: Axes | None, width: str | float) -> tuple[Axes, float | None]:
    """The axes to draw on, and the height that they are to have, in inches, where the figure is our own."""
    if ax is not None:
        if not isinstance(ax, Axes):
            raise TypeError(f"ax = {ax!r}: expected an axes of matplotlib; pass one, or leave ax out for a new figure")
        set_style(ax)
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
    axes = figure.add_subplot()
    set_style(axes)
    return axes, height


def set_style(ax: Axes) -> None:
    ax.tick_params(which="both", labelsize=SMALL, width=0.5, length=2.5, pad=2.0)
    ax.tick_params(which="minor", length=1.5)
    ax.grid(True, which="major", color="#e1e1e1", linewidth=0.4)
    ax.set_axisbelow(True)
    for name, spine in ax.spines.items():
        spine.set_linewidth(0.5)
        spine.set_visible(name in ("left", "bottom"))


def figure_of(ax: Axes) -> Figure:
    """The whole figure, also where the axes are those of a subfigure."""
    if ax.figure is None:
        raise ValueError("ax: expected axes of a figure, found some that were removed from theirs; pass others")
    return ax.figure.canvas.figure


def text_width(text: str, size: float) -> float:
    """The width of a line in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width)


def wrap(text: str, size: float, room: float) -> str:
    # Hinting can make text a little wider than its outlines are.
    room *= 0.97
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def balanced(text: str, size: float, room: float) -> str:
    """The same in as many lines, of about one length."""
    lines = wrap(text, size, room).count("\n")
    narrower = (wrap(text, size, share * room) for share in np.linspace(0.5, 1.0, 26))
    return next(wrapped for wrapped in narrower if wrapped.count("\n") == lines)


def short(value: float) -> str:
    """A number in three digits."""
    if value == 0.0 or 1e-2 <= abs(value) < 1e3:
        return f"{value:.3g}"
    mantissa, power = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"


def abscissa(value: float) -> str:
    """A number on the horizontal axis: counts in full, others in four digits."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e7 else f"{value:.4g}"


def two_digits(value: float) -> str:
    """Two digits that are not zeros, of however small a number."""
    digits = next((digits for digits in range(2, 6) if value * 10**digits >= 5.0), None)
    return f"{value:.1e}" if digits is None else f"{value:.{digits}f}"


def counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
