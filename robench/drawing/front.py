"""Mean distance against time: a curve for each minimal attack, a point for each budget."""

import io
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from robench.benchmarking.front import Curve, Front
from robench.drawing.notes import Note, annotate
from robench.drawing.sheet import finish, sheet
from robench.drawing.style import LINE, MARKER, colour, label, linestyle, marker, theme


def render(content: Front, form: Literal["svg", "png"]) -> bytes:
    """Draw a front; an SVG carries no date."""
    buffer = io.BytesIO()
    with theme():
        metadata: dict[str, Any] = {"Date": None} if form == "svg" else {}
        draw(content).savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()


def draw(content: Front) -> Canvas:
    """Return a front on a canvas, in the theme that is set; each library has its colour."""
    canvas, (ax,) = sheet(1)
    canvas.set_size_inches(7.6, 5.2)
    libraries = list(dict.fromkeys(curve.library for curve in content.curves))
    variants = [libraries.index(curve.library) for curve in content.curves]
    for place, curve in enumerate(content.curves):
        _curve(ax, curve, variants, place)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")  # not 10^2: no mathematics here
    ax.margins(x=0.08, y=0.06)
    ax.set(xlabel=f"seconds for {content.images} images", ylabel="mean L2 norm (images in [0, 1])")
    finish(canvas, content.title, [ax])
    ends = [_end(curve, variant) for curve, variant in zip(content.curves, variants, strict=True)]
    annotate(canvas, [(ax, [[end] for end in ends])])
    return canvas


def _curve(ax: Axes, curve: Curve, variants: Sequence[int], place: int) -> None:
    own = colour(variants[place])
    ax.plot(
        [point.seconds for point in curve.points],
        [point.mean_l2 for point in curve.points],
        color=own,
        linewidth=LINE,
        linestyle=linestyle(variants, place),
        marker=marker(place),
        markersize=MARKER - 2,
        markeredgewidth=0.6,
        markeredgecolor="white",
        label=label(curve.title),
    )


def _end(curve: Curve, variant: int) -> Note:
    last = curve.points[-1]
    return Note(last.seconds, last.mean_l2, curve.title, variant)
