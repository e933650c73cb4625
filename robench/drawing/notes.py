"""Small text beside points, such as the strength of a defense, where it hides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from robench.drawing.style import ink, label

SIZE = 8.0
"""Points."""
AWAY = (4.5, 8.5)
"""Points that a text keeps from its point, right or left and above or below; the nearer first."""
PLACES = (("left", "bottom"), ("left", "top"), ("right", "top"), ("right", "bottom"))
"""Which corner of the text points at its point: beside the bars, never on them."""


@dataclass(frozen=True)
class Note:
    """What to write beside a point of the axes."""

    x: float
    y: float
    text: str
    variant: int


def annotate(canvas: Canvas, noted: Sequence[tuple[Axes, Sequence[Sequence[Note]]]]) -> None:
    """Write notes where no line, marker or other note lies; leave out those without room.

    Each sequence belongs to one curve; the ends of all curves go before what lies between. Call it
    last: it settles the layout, and changed axes would move below the text.
    """
    if not any(note.text for _, curves in noted for notes in curves for note in notes):
        return
    canvas.draw_without_rendering()
    for ax, curves in noted:
        taken: list[Bbox] = []
        path = _drawn(ax)
        ends = [note for notes in curves for note in (*notes[-1:], *notes[:-1][:1])]
        between = [note for notes in curves for note in notes[1:-1]]
        for note in (*ends, *between):
            if note.text and np.isfinite([note.x, note.y]).all():
                _place(ax, note, path, taken)


def _place(ax: Axes, note: Note, path: NDArray[np.float64], taken: list[Bbox]) -> None:
    text = ax.annotate(
        label(note.text, 24), (note.x, note.y), (0.0, 0.0), textcoords="offset points"
    )
    text.set(fontsize=SIZE, color=ink(note.variant))
    text.set_in_layout(False)
    for away, (horizontal, vertical) in product(AWAY, PLACES):
        across = away if horizontal == "left" else -away
        text.set_position((across, away if vertical == "bottom" else -away))
        text.set(ha=horizontal, va=vertical)
        box = text.get_window_extent()
        if _free(box, ax.bbox, path, taken):
            taken.append(box)
            return
    text.remove()


def _free(box: Bbox, frame: Bbox, path: NDArray[np.float64], taken: Sequence[Bbox]) -> bool:
    inside = (path > box.p0) & (path < box.p1)
    within = frame.contains(*box.p0) and frame.contains(*box.p1)
    return within and not inside.all(axis=1).any() and not box.count_overlaps(taken)


def _drawn(ax: Axes) -> NDArray[np.float64]:
    """Return points on the lines and round the markers of `ax`, (n, 2) in pixels."""
    around = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([np.cos(around), np.sin(around)], axis=1) * ax.figure.dpi / 72
    found = [np.empty((0, 2))]
    for line in ax.lines:
        corners = line.get_transform().transform(line.get_xydata())
        corners = corners[np.isfinite(corners).all(axis=1)]
        if line.get_marker() not in ("None", "", None):
            radius = line.get_markersize() / (4 if line.get_marker() == "." else 2)
            found += [corners, (corners[:, None] + radius * ring).reshape(-1, 2)]
        if line.get_linestyle() != "None":
            steps = np.linspace(0, 1, 65)[:, None, None]  # closer than a letter is wide
            found.append((corners[:-1] + steps * np.diff(corners, axis=0)).reshape(-1, 2))
    return np.concatenate(found)
