"""A sheet of panels: axes in a grid, a title above and one legend below that hides nothing."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from robench.drawing.style import wrapped

WIDTHS = (6.4, 9.2)
"""Inches of a sheet of one and of two columns, both made for some 700 pixels on a page."""
HEIGHTS = (4.0, 3.6)
"""Inches of a panel with its labels; a title or legend of several lines makes a sheet higher."""
CHARACTER = 6.4
"""Points that a character takes at most, on average, in titles and legends."""
KEY = 48.0
"""Points of a legend's entry beside its text."""
ROW = 0.22
"""Inches of a line of text."""


def sheet(count: int) -> tuple[Canvas, list[Axes]]:
    """Return a canvas and the axes of `count` panels, at most two side by side."""
    columns = max(1, min(2, count))
    rows = max(1, math.ceil(count / columns))
    size = (WIDTHS[columns - 1], HEIGHTS[columns - 1] * rows)
    canvas = Canvas(figsize=size, layout="constrained")
    axes = canvas.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.remove()
    return canvas, axes[:count]


def share_accuracy(axes: Sequence[Axes], low: float | None, high: float | None) -> None:
    """Give all panels one y axis, its numbers on the left; a bound of None leaves it as it is."""
    for ax in axes[1:]:
        ax.sharey(axes[0])
    for ax in axes[1::2]:
        ax.tick_params(labelleft=False)
        ax.set_ylabel("")
    for ax in axes[:1]:
        ax.autoscale_view()
        ax.set_ylim(low, high)


def panel_title(ax: Axes, text: str) -> None:
    """Put a panel's title above it, on two lines if one does not hold it."""
    ax.set_title(wrapped(text, 50, 2))


def finish(canvas: Canvas, title: str, axes: Iterable[Axes], keys: Iterable[Any] = ()) -> None:
    """Add the title, and a legend of what has a label on `axes` and then of `keys`."""
    width, height = canvas.get_size_inches()
    text = wrapped(title, letters(width))
    if text:
        canvas.suptitle(text, fontsize="medium")
    entries = [*_labelled(axes), *keys]
    grown = height + ROW * text.count("\n")
    if entries:
        columns = _columns(width, [str(one.get_label()) for one in entries])
        canvas.legend(handles=entries, loc="outside lower center", ncols=columns)
        grown += 0.3 + ROW * math.ceil(len(entries) / columns)
    canvas.set_size_inches(width, grown)


def letters(width: float) -> int:
    """Return how many characters of a title stand side by side on a figure `width` inches wide."""
    return int((width - 0.3) * 72 / CHARACTER)


def _labelled(axes: Iterable[Axes]) -> list[Any]:
    """Return a line for each name and colour; matplotlib's own names begin with `_`."""
    found: dict[tuple[str, str], Any] = {}
    for ax in axes:
        for line in ax.lines:
            name = str(line.get_label())
            if not name.startswith("_"):
                found.setdefault((name, str(line.get_color())), line)
    return list(found.values())


def _columns(width: float, names: Sequence[str]) -> int:
    """Return how many columns the legend has, so that its rows are about equally long."""
    most = max(1, int(width * 72 / (max(map(len, names)) * CHARACTER + KEY)))
    rows = math.ceil(len(names) / most)
    return math.ceil(len(names) / rows)
