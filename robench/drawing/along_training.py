"""Benign accuracy and rho along training, one above the other."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from robench.contents import AlongTraining, History
from robench.drawing.sheet import HEIGHTS, WIDTHS, finish
from robench.drawing.style import BAND, LINE, MARKER, colour, label, linestyle, marker
from robench.metrics import Interval

MARKED = 20
"""Most moments of a run that are drawn as points too."""


def draw(content: AlongTraining) -> Canvas:
    """Return the canvas with two panels over one axis of epochs."""
    canvas = Canvas(figsize=(WIDTHS[0], 1.6 * HEIGHTS[0]), layout="constrained")
    above, below = canvas.subplots(2, 1, sharex=True)
    variants = [history.variant for history in content.histories]
    for place, history in enumerate(content.histories):
        own: dict[str, Any] = {
            "linestyle": linestyle(variants, place),
            # Runs of one variant share its colour alone.
            "marker": marker(history.variant + variants[:place].count(history.variant)),
        }
        _history(above, history, [moment.benign for moment in history.moments], own)
        _history(below, history, [moment.rho for moment in history.moments], own)
    above.set_ylabel("benign accuracy")
    below.set_ylabel(f"rho of {label(content.attack, 24)}: mean L2\n(images in [0, 1])")
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
    finish(canvas, content.title, [above])
    return canvas


def _history(
    ax: Axes, history: History, measured: Sequence[Interval], style: dict[str, Any]
) -> None:
    if not history.moments:
        return
    own = colour(history.variant)
    epochs = [moment.epoch for moment in history.moments]
    low, high = [one.low for one in measured], [one.high for one in measured]
    ax.fill_between(epochs, low, high, color=own, alpha=BAND, linewidth=0)
    ax.plot(
        epochs,
        [one.value for one in measured],
        color=own,
        **style,
        markevery=math.ceil(len(epochs) / MARKED),
        linewidth=LINE,
        markersize=MARKER - 1,
        markeredgecolor="white",
        label=label(history.label),
    )
