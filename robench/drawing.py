"""Figures drawn by seaborn. Import it where something is drawn: seaborn takes a second."""

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from robench.figures import AccuracyNorm, Line, Panel, Point, RobustnessCurve

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
DASHES: tuple[Any, ...] = ("", (5, 2), (1, 1.5), (6, 2, 1, 2), (3, 1), (4, 1, 1, 1, 1, 1))
PANEL = (4.6, 3.6)
"""Inches; at 100 dots an inch two panels are as wide as a page on a code host."""


def render(
    content: AccuracyNorm | RobustnessCurve, stamp: str, form: Literal["svg", "png"]
) -> bytes:
    """Draw `content`; an SVG carries `stamp` as its description and no date."""
    buffer = io.BytesIO()
    with _style():
        drawn = _accuracy_norm(content) if isinstance(content, AccuracyNorm) else _curve(content)
        metadata = {"Description": stamp} | ({"Date": None} if form == "svg" else {})
        drawn.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()


@contextmanager
def _style() -> Iterator[None]:
    """Set seaborn's light theme for what is drawn inside, and nothing outside."""
    settings = {
        **sns.axes_style("whitegrid"),
        **sns.plotting_context("notebook", font_scale=0.9),
        "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
        "figure.facecolor": "white",
        "grid.color": "0.9",
        "axes.edgecolor": "0.6",
        "figure.dpi": 100,
        "savefig.dpi": 100,
        "svg.hashsalt": "robench",
        "svg.fonttype": "path",
        "text.parse_math": False,  # a variant may be called $x$
    }
    with mpl.rc_context(settings):
        yield


def _accuracy_norm(content: AccuracyNorm) -> Canvas:
    columns = min(2, len(content.panels))
    rows = math.ceil(len(content.panels) / columns)
    names = [line.label for panel in content.panels for line in panel.lines]
    width, height = PANEL
    size = (width * columns, height * rows + _legend_height(names))
    canvas = Canvas(figsize=size, layout="constrained")
    axes = canvas.subplots(rows, columns, sharey=True, squeeze=False).ravel().tolist()
    for panel, ax in zip(content.panels, axes, strict=False):
        _panel(panel, ax)
    for ax in axes[len(content.panels) :]:
        ax.set_axis_off()
    for ax in axes[::columns]:
        ax.set_ylabel("accuracy")
    axes[0].set_ylim(0.0, 1.0)
    canvas.suptitle(_label(content.title, 90), fontsize="medium")
    _legend(canvas, axes[: len(content.panels)])
    return canvas


def _panel(panel: Panel, ax: Axes) -> None:
    frame = pd.concat(
        pd.DataFrame({"norm": panel.norms, "accuracy": line.accuracy, "row": place})
        for place, line in enumerate(panel.lines)
    )
    palette = [_colour(line.variant) for line in panel.lines]
    dashes = [_dash(panel.lines, place) for place in range(len(panel.lines))]
    for line, colour in zip(panel.lines, palette, strict=True):
        ax.fill_between(panel.norms, line.low, line.high, color=colour, alpha=0.12, linewidth=0)
    places = list(range(len(panel.lines)))
    sns.lineplot(
        frame,
        x="norm",
        y="accuracy",
        hue="row",
        hue_order=places,
        style="row",
        style_order=places,
        palette=palette,
        dashes=dashes,
        estimator=None,
        legend=False,
        ax=ax,
    )
    for drawn, line in zip(ax.lines, panel.lines, strict=True):
        drawn.set_label(_label(line.label))
    ax.set_xlim(0.0, panel.norms[-1])
    ax.set(xlabel="L2 norm of the perturbation (images in [0, 1])", title=_label(panel.attack))


def _curve(content: RobustnessCurve) -> Canvas:
    variants = sorted({point.variant for panel in content.panels for point in panel.points})
    names = {variant: content.variants[variant] for variant in variants}
    columns = min(2, len(content.panels))
    rows = math.ceil(len(content.panels) / columns)
    width, height = PANEL
    size = (width * columns, height * rows + _legend_height(list(names.values())))
    canvas = Canvas(figsize=size, layout="constrained")
    axes = canvas.subplots(rows, columns, sharey=True, squeeze=False).ravel().tolist()
    for panel, ax in zip(content.panels, axes, strict=False):
        for variant, name in names.items():
            _variant([one for one in panel.points if one.variant == variant], name, ax)
        ax.set(xlabel="rho: mean L2 norm (images in [0, 1])", ylabel="", title=_label(panel.attack))
    for ax in axes[len(content.panels) :]:
        ax.set_axis_off()
    for ax in axes[::columns]:
        ax.set_ylabel("benign accuracy")
    canvas.suptitle(_label(content.title, 90), fontsize="medium")
    _legend(canvas, axes[: len(content.panels)])
    return canvas


def _variant(points: Sequence[Point], name: str, ax: Axes) -> None:
    """Draw the checkpoints of one variant, with their intervals, joined by a line."""
    if not points:
        return
    variant = points[0].variant
    colour = _colour(variant)
    frame = pd.DataFrame(
        {
            "rho": [point.rho.value for point in points],
            "benign accuracy": [point.benign.value for point in points],
        }
    )
    ax.errorbar(
        frame["rho"],
        frame["benign accuracy"],
        xerr=_bars([point.rho for point in points]),
        yerr=_bars([point.benign for point in points]),
        fmt="none",
        ecolor=colour,
        elinewidth=1,
        alpha=0.45,
    )
    sns.lineplot(
        frame,
        x="rho",
        y="benign accuracy",
        color=colour,
        marker=MARKERS[variant % len(MARKERS)],
        markersize=8,
        sort=False,
        estimator=None,
        legend=False,
        ax=ax,
    )
    ax.lines[-1].set_label(_label(name))


def _bars(measured: Sequence[Any]) -> list[list[float]]:
    """Return how far intervals reach below and above; never below 0, which rounding could."""
    return [
        [max(0.0, one.value - one.low) for one in measured],
        [max(0.0, one.high - one.value) for one in measured],
    ]


def _legend(canvas: Canvas, axes: Sequence[Axes]) -> None:
    """Put one legend for all panels below them, where it can hide nothing."""
    lines = {str(line.get_label()): line for ax in axes for line in ax.lines}
    columns = min(len(lines), _legend_columns(lines))
    canvas.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=columns)


def _legend_columns(names: Iterable[str]) -> int:
    return 4 if max(map(len, names)) < 20 else 2


def _legend_height(names: Sequence[str]) -> float:
    """Return the inches that the legend of these lines takes, to keep the axes' size."""
    return 0.3 + 0.22 * math.ceil(len(set(names)) / _legend_columns(names))


def _colour(variant: int) -> tuple[float, float, float]:
    """Return the variant's colour out of nine that colour-blind readers can tell apart."""
    palette = sns.color_palette("colorblind")
    del palette[8]  # yellow, too pale for lines on white
    return palette[variant % len(palette)]


def _dash(lines: Sequence[Line], place: int) -> Any:
    """Return the variant's dashes, other ones for each further seed of it."""
    variant = lines[place].variant
    earlier = sum(line.variant == variant for line in lines[:place])
    return DASHES[(variant + earlier) % len(DASHES)]


def _label(text: str, width: int = 40) -> str:
    """Shorten what a plugin calls itself; matplotlib hides names that begin with `_`."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(shown) > width:
        shown = f"{shown[: width // 2]}…{shown[-width // 2 + 1 :]}"
    return f" {shown}" if shown.startswith("_") else shown
