"""Robustness curves: benign accuracy against rho, measured and published."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from robench.contents import Curve, Mark, Point, RobustnessCurve
from robench.drawing import bars, seeds
from robench.drawing.notes import Note, annotate
from robench.drawing.sheet import finish, panel_title, share_accuracy, sheet
from robench.drawing.style import BAND, GREY, LINE, MARKER, RHO, THIN, colour, label, marker

CROWDED = 1 / 3
"""Of an axis for both: where measured or published points fill less, each get their own."""


def draw(content: RobustnessCurve) -> Canvas:
    """Return the canvas with a panel for each minimal attack.

    Published points stand in the panel of the measured ones, or in a panel of their own after it,
    with axes of its own, where one y axis for both would leave one of them no room.
    """
    apart = _apart(content.panels)
    own = [panel for panel in content.panels if apart and panel.published]
    canvas, axes = sheet(len(content.panels) + len(own))
    free = iter(axes)
    noted: list[tuple[Axes, list[list[Note]]]] = []
    for panel in content.panels:
        ax = next(free)
        panel_title(ax, f"{panel.title}: measured" if panel in own else panel.title)
        _measured(content, panel, ax)
        noted.append((ax, [_notes(curve) for curve in _curves(panel)]))
        if panel in own:
            ax = next(free)
            panel_title(ax, f"{panel.title}: published (paper)")
        _published(content, panel, ax)
    if not apart:
        share_accuracy(axes, None, None)
    finish(canvas, content.title, axes, _keys(content))
    annotate(canvas, noted)
    return canvas


def _measured(content: RobustnessCurve, panel: Curve, ax: Axes) -> None:
    for points in _curves(panel):
        _variant(ax, points, label(content.variants[points[0].variant]))
    ax.margins(0.1)  # a strength stands beside the outermost points too
    ax.set(xlabel=RHO, ylabel="benign accuracy")


def _published(content: RobustnessCurve, panel: Curve, ax: Axes) -> None:
    known = {point.variant for one in content.panels for point in one.points}
    for variant, name in enumerate(content.variants):
        marks = [mark for mark in panel.published if mark.variant == variant]
        if marks:
            _marks(ax, marks, None if variant in known else label(name))
    ax.set(xlabel=RHO, ylabel="benign accuracy")


def _curves(panel: Curve) -> list[list[Point]]:
    """Return the measured points of each variant that has some."""
    variants = sorted({point.variant for point in panel.points})
    return [[point for point in panel.points if point.variant == own] for own in variants]


def _notes(points: Iterable[Point]) -> list[Note]:
    return [Note(one.rho.value, one.benign.value, one.setting, one.variant) for one in points]


def _variant(ax: Axes, points: Sequence[Point], name: str) -> None:
    """Draw the points of one variant, with their intervals, joined by a line."""
    own = colour(points[0].variant)
    bars.draw(ax, [point.rho for point in points], [point.benign for point in points], own)
    seeds.draw(ax, points, own)
    ax.plot(
        [point.rho.value for point in points],
        [point.benign.value for point in points],
        color=own,
        linewidth=LINE,
        marker=marker(points[0].variant),
        markersize=MARKER,
        markeredgecolor="white",
        label=name,
    )


def _marks(ax: Axes, marks: Sequence[Mark], name: str | None) -> None:
    """Draw the paper's points of one variant; `name` for the legend if nothing else gives it."""
    ax.plot(
        [mark.rho for mark in marks],
        [mark.benign for mark in marks],
        color=colour(marks[0].variant),
        linestyle=":",
        linewidth=THIN,
        marker=marker(marks[0].variant),
        markersize=MARKER - 1,
        markerfacecolor="white",
        label=name,
    )


def _keys(content: RobustnessCurve) -> list[Any]:
    """Return the legend's entries for what every variant is drawn with."""
    keys: list[Any] = []
    if any(panel.published for panel in content.panels):
        key = Line2D([], [], color=GREY, linestyle=":", marker="o", markerfacecolor="white")
        key.set(label="published (paper)", markersize=MARKER - 1)
        keys.append(key)
    if seeds.several(point for panel in content.panels for point in panel.points):
        keys.append(Patch(color=GREY, alpha=2 * BAND, lw=0, label="range over seeds (dots)"))
    return keys


def _apart(panels: Sequence[Curve]) -> bool:
    """Tell whether measured and published accuracies need y axes of their own."""
    measured = _span(point.benign.value for panel in panels for point in panel.points)
    published = _span(mark.benign for panel in panels for mark in panel.published)
    if measured is None or published is None:
        return False
    if measured[0] <= published[1] and published[0] <= measured[1]:
        return False
    whole = max(measured[1], published[1]) - min(measured[0], published[0])
    return any(0 < high - low < CROWDED * whole for low, high in (measured, published))


def _span(values: Iterable[float]) -> tuple[float, float] | None:
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else None
