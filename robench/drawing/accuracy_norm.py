"""Accuracy against the norm: smooth curves of minimal attacks, tracks of those of a budget."""

import math
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from robench.contents import AccuracyNorm, Line, Panel, Track
from robench.drawing import bars
from robench.drawing.notes import Note, annotate
from robench.drawing.sheet import finish, panel_title, share_accuracy, sheet
from robench.drawing.style import BAND, LINE, MARKER, NORM, THIN, colour, label, linestyle, marker


def draw(content: AccuracyNorm) -> Canvas:
    """Return the canvas with a panel for each of `content`, accuracy from 0."""
    canvas, axes = sheet(len(content.panels))
    for panel, ax in zip(content.panels, axes, strict=True):
        _panel(panel, ax)
    share_accuracy(axes, 0.0, _top(content.panels))
    finish(canvas, content.title, axes)
    notes = [[_notes(track) for track in panel.tracks] for panel in content.panels]
    annotate(canvas, list(zip(axes, notes, strict=True)))
    return canvas


def _panel(panel: Panel, ax: Axes) -> None:
    for place, line in enumerate(panel.lines):
        _line(panel, line, linestyle([one.variant for one in panel.lines], place), ax)
    for track in panel.tracks:
        if track.steps:
            _track(track, ax)
    ax.set_xlim(0.0, _end(panel))
    ax.set(xlabel=NORM, ylabel="accuracy")
    panel_title(ax, panel.title)


def _line(panel: Panel, line: Line, style: object, ax: Axes) -> None:
    own = colour(line.variant)
    ax.fill_between(panel.norms, line.low, line.high, color=own, alpha=BAND, linewidth=0)
    ax.plot(
        panel.norms,
        line.accuracy,
        color=own,
        linestyle=style,
        linewidth=LINE,
        label=label(line.label),
    )


def _track(track: Track, ax: Axes) -> None:
    own = colour(track.variant)
    norms = [step.norm for step in track.steps]
    bars.draw(ax, norms, [step.accuracy for step in track.steps], own, alpha=1.0)
    ax.plot(
        norms,
        [step.accuracy.value for step in track.steps],
        color=own,
        linewidth=THIN,
        marker=marker(track.variant),
        markersize=MARKER - 1,
        markeredgecolor="white",
        clip_on=False,  # a marker at norm 0 or accuracy 0 stays whole
        label=label(track.label),
    )


def _end(panel: Panel) -> float:
    """Return where the x axis ends: at the last norm, with room for a marker beyond."""
    reached = [step.norm for track in panel.tracks for step in track.steps]
    ends = [*panel.norms[-1:], *(1.04 * norm for norm in reached)]
    return max((end for end in ends if end > 0), default=1.0)


def _top(panels: Iterable[Panel]) -> float:
    """Return a full tenth above all that is drawn, at most 1."""
    highest = [
        high
        for panel in panels
        for high in (
            *(high for line in panel.lines for high in line.high),
            *(step.accuracy.high for track in panel.tracks for step in track.steps),
        )
        if math.isfinite(high)
    ]
    return min(1.0, math.ceil(10 * max(highest) + 0.2) / 10) if highest else 1.0


def _notes(track: Track) -> list[Note]:
    return [
        Note(step.norm, step.accuracy.value, step.setting, track.variant) for step in track.steps
    ]
