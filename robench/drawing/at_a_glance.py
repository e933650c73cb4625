"""Rankings at a glance: a line a defense, its interval, and a dot for each training seed."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from robench.contents import AtAGlance, Place, Ranked
from robench.drawing import bars
from robench.drawing.sheet import WIDTHS, finish, panel_title
from robench.drawing.style import GREY, LINE, MARKER, colour, marker, wrapped

LINE_HEIGHT = 0.36
"""Inches of a defense's line."""
FRAME = 1.0
"""Inches of a panel's title and axis."""
NAME = 26
"""Characters of a line of a defense's name, which may have two."""


def draw(content: AtAGlance) -> Canvas:
    """Return the canvas with a panel for each accuracy, one below the other, on one x axis."""
    heights = [FRAME + LINE_HEIGHT * max(1, len(panel.places)) for panel in content.panels]
    canvas = Canvas(figsize=(WIDTHS[1], sum(heights) or FRAME), layout="constrained")
    axes = canvas.subplots(
        max(1, len(heights)), 1, squeeze=False, sharex=True, height_ratios=heights or None
    ).ravel()
    for ax, panel in zip(axes, content.panels, strict=False):
        _panel(ax, panel)
    axes[-1].set_xlabel(wrapped(content.axis, 90, 2))
    finish(canvas, content.title, [], _keys(content))
    return canvas


def _panel(ax: Axes, panel: Ranked) -> None:
    panel_title(ax, panel.title)
    for height, place in enumerate(panel.places):
        _line(ax, place, height)
    names = [f"{wrapped(place.label, NAME, 2)}   {place.rank}" for place in panel.places]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)  # the best on top
    ax.grid(visible=False, axis="y")


def _line(ax: Axes, place: Place, height: int) -> None:
    """Draw a defense at its height: seeds pale, the interval, the mean over them."""
    own = colour(place.variant)
    ax.plot(
        place.seeds,
        [height] * len(place.seeds),
        color=own,
        alpha=0.45,
        linestyle="none",
        marker="|",
        markersize=MARKER,
    )
    reach = bars.lengths([place.value])
    ax.errorbar(
        [place.value.value],
        [height],
        xerr=reach,
        color=own,
        elinewidth=LINE,
        marker=marker(place.variant),
        markersize=MARKER - 1,
        markeredgecolor="white",
    )


def _keys(content: AtAGlance) -> Sequence[Any]:
    """Return the legend's entries: what a bar is, and a tick."""
    keys = [Line2D([], [], color=GREY, marker="o", label="mean and 95 % interval; rank beside")]
    if any(place.seeds for panel in content.panels for place in panel.places):
        tick = Line2D([], [], color=GREY, linestyle="none", marker="|", label="a training seed")
        keys.append(tick)
    return keys
