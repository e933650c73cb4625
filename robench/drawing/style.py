"""What all figures look like: theme, colours, markers, dashes and how names are shortened."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import seaborn as sns

Colour = tuple[float, float, float]
"""Red, green and blue in [0, 1]."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
DASHES = (
    (),
    (5, 2),
    (1, 1.5),
    (6, 2, 1, 2),
    (3, 1),
    (4, 1, 1, 1, 1, 1),
    (9, 2),
    (2, 3),
    (7, 2, 3, 2),
)
"""Lengths drawn and left out, in line widths; nothing for a solid line."""
MARKER = 8.0
"""Size of a marker in points."""
LINE = 1.6
THIN = 1.1
BAND = 0.14
"""Opacity of a band, low enough to see where two of them overlap."""
GREY = "0.35"
NORM = "L2 norm of the perturbation (images in [0, 1])"
RHO = "rho: mean L2 norm (images in [0, 1])"


@contextmanager
def theme() -> Iterator[None]:
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
        "image.composite_image": False,  # or an SVG would hold blurred pixels
        "text.parse_math": False,  # a variant may be called $x$
    }
    with mpl.rc_context(settings):
        yield


def colour(variant: int) -> Colour:
    """Return the variant's colour out of nine that colour-blind readers can tell apart."""
    palette = sns.color_palette("colorblind")
    del palette[8]  # yellow, too pale for lines on white
    red, green, blue = palette[variant % len(palette)]
    return red, green, blue


def ink(variant: int) -> Colour:
    """Return the variant's colour, dark enough for small text."""
    red, green, blue = (0.65 * part for part in colour(variant))
    return red, green, blue


def marker(variant: int) -> str:
    """Return the shape of the variant's points, which tells variants apart without colour."""
    return MARKERS[variant % len(MARKERS)]


def linestyle(variants: Sequence[int], place: int) -> Any:
    """Return the dashes of the line at `place`, other ones for each further line of its variant."""
    variant = variants[place]
    earlier = variants[:place].count(variant)
    dashes = DASHES[(variant + earlier) % len(DASHES)]
    return (0, dashes) if dashes else "-"


def label(text: str, width: int = 40) -> str:
    """Shorten what a plugin calls itself; matplotlib hides names that begin with `_`."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(shown) > width:
        shown = f"{shown[: width // 2]}…{shown[-width // 2 + 1 :]}"
    return f" {shown}" if shown.startswith("_") else shown


def wrapped(text: str, width: int, lines: int = 3) -> str:
    """Break text into at most `lines` lines of `width` characters, shortened by the middle."""
    shown = label(text, width * lines)
    if len(textwrap.wrap(shown, width)) > lines:  # words do not fill their lines
        shown = label(text, width * lines - lines * width // 4)
    count = min(lines, len(textwrap.wrap(shown, width)))
    longest = min(width, max(map(len, shown.split()), default=0))  # a word that fits stays whole
    for narrow in range(max(width // 2, longest), width):  # lines of about the same length
        if len(broken := textwrap.wrap(shown, narrow)) <= count:
            return "\n".join(broken)
    return "\n".join(textwrap.wrap(shown, width)[:lines])
