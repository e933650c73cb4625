"""A grid of small images with the classes they are given."""

import base64
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from robench.contents import Gallery, Picture, PictureRow
from robench.drawing.sheet import ROW, letters
from robench.drawing.style import label, wrapped

WIDTH = 9.2
LABEL = 1.35
"""Inches left of the pictures."""
LARGEST = 1.1
"""Inches that a picture is wide at most."""
GAP = 0.1
LINE = 0.17
"""Inches of a line of a caption."""
SIZE = 9.5
"""Points of labels and captions; less where a word is wider than its picture."""
LETTER = 0.62
"""Width of a letter, of a font's size, on average."""
LONGEST = 14
"""Letters of a class's name that are shown at most."""
FRAME = 0.035
"""Inches."""
WRONG = "#a4161a"
KEY = "framed, bold and red: not the image's class"


@dataclass(frozen=True)
class _Grid:
    """Lengths in inches."""

    shape: tuple[int, int, int]
    side: float
    """Width of a picture."""

    @property
    def high(self) -> float:
        """Height of a picture."""
        return self.side * self.shape[0] / self.shape[1]

    @property
    def letters(self) -> int:
        """Characters on a line below a picture."""
        return int((self.side + GAP) * 72 / (LETTER * SIZE))


def draw(content: Gallery) -> Canvas:
    """Return the canvas; pixels are drawn as they are, in squares."""
    columns = max([1, *(len(row.pictures) for row in content.rows)])
    grid = _Grid(content.shape, min(LARGEST, (WIDTH - LABEL) / columns - GAP))
    width = LABEL + columns * (grid.side + GAP)
    title = wrapped(content.title, letters(width))
    above = GAP + (ROW * (title.count("\n") + 1) + GAP if title else 0)
    heights = [_row_height(row, grid) for row in content.rows]
    wrong = any(picture.wrong for row in content.rows for picture in row.pictures)
    canvas = Canvas(figsize=(width, above + sum(heights) + (ROW + GAP if wrong else 0)))
    ax = _page(canvas)
    ax.text(width / 2, GAP, title, ha="center", va="top", fontsize="medium")
    for row, high in zip(content.rows, heights, strict=True):
        _row(ax, row, grid, above)
        above += high
    if wrong:
        ax.text(width / 2, above + GAP / 2, KEY, ha="center", va="top", fontsize=SIZE)
    return canvas


def _page(canvas: Canvas) -> Axes:
    """Return axes over the whole canvas, in inches from its upper left corner."""
    width, height = canvas.get_size_inches()
    ax = canvas.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set(xlim=(0.0, width), ylim=(height, 0.0), autoscale_on=False)
    ax.set_axis_off()
    return ax


def _row_height(row: PictureRow, grid: _Grid) -> float:
    captions = [_caption(picture, grid) for picture in row.pictures]
    lines = max((text.count("\n") + 1 for text in captions if text), default=0)
    return grid.high + (LINE * lines + 0.06 if lines else 0) + GAP


def _row(ax: Axes, row: PictureRow, grid: _Grid, above: float) -> None:
    """Draw a row whose pictures begin `above` inches below the top."""
    text = _row_label(row.label)
    ax.text(GAP, above + grid.high / 2, text, ha="left", va="center", fontsize=SIZE)
    for place, picture in enumerate(row.pictures):
        left = LABEL + place * (grid.side + GAP)
        _picture(ax, picture, grid, left, above)
        _write(ax, picture, grid, left + grid.side / 2, above + grid.high + 0.06)


def _picture(ax: Axes, picture: Picture, grid: _Grid, left: float, above: float) -> None:
    """Draw pixels, and a frame round them where the class is wrong."""
    # "none" keeps the pixels as they are, in an SVG too, where a viewer makes squares of them.
    ax.imshow(
        _pixels(picture, grid.shape),
        interpolation="none",
        aspect="auto",
        extent=(left, left + grid.side, above + grid.high, above),
    )
    if picture.wrong:
        corner = (left - FRAME / 2, above - FRAME / 2)
        frame = Rectangle(corner, grid.side + FRAME, grid.high + FRAME, fill=False)
        frame.set(edgecolor=WRONG, linewidth=72 * FRAME)
        ax.add_patch(frame)


def _write(ax: Axes, picture: Picture, grid: _Grid, middle: float, above: float) -> None:
    """Write the class below its picture, smaller where a word would be wider."""
    text = ax.text(middle, above, _caption(picture, grid), ha="center", va="top", fontsize=SIZE)
    text.set_color(WRONG if picture.wrong else "0.15")
    text.set_fontweight("bold" if picture.wrong else "normal")
    room = (grid.side + 0.8 * GAP) * ax.figure.dpi
    text.set_fontsize(SIZE * min(1.0, room / max(1.0, text.get_window_extent().width)))


def _row_label(text: str) -> str:
    letters = int((LABEL - 1.5 * GAP) * 72 / (LETTER * SIZE))
    parts = "\n".join(wrapped(part, letters, 2) for part in re.split(r"(?<=[,:]) ", text))
    return parts if parts.count("\n") < 5 else wrapped(text, letters, 4)


def _caption(picture: Picture, grid: _Grid) -> str:
    words = [label(word, LONGEST) for word in label(picture.caption.replace("_", " ")).split()]
    lines = textwrap.wrap(" ".join(words), grid.letters, break_long_words=False)
    return "\n".join(lines[:2])


def _pixels(picture: Picture, shape: Sequence[int]) -> NDArray[np.uint8]:
    """Return red, green and blue, (height, width, 3)."""
    pixels = np.frombuffer(base64.b64decode(picture.pixels), dtype=np.uint8).reshape(shape)
    return pixels[..., :3] if shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
