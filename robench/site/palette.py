"""The colours of variants on a light and on a dark page: those of the figures, made to be seen."""

from robench.drawing.style import Colour, colour

COLOURS = 9
SURFACES: dict[str, Colour] = {"light": (1.0, 1.0, 1.0), "dark": (0.09, 0.1, 0.12)}
"""What lies behind the charts; `page.css` has the same."""
CONTRAST = 3.0
"""Of graphics with what lies behind them, at least (WCAG 2.2, 1.4.11)."""


def palette(theme: str) -> tuple[str, ...]:
    """Return the nine colours for a theme of `SURFACES`, as `#rrggbb`."""
    return tuple(_hex(readable(colour(place), SURFACES[theme])) for place in range(COLOURS))


def readable(one: Colour, behind: Colour) -> Colour:
    """Return a colour mixed with black or white until it stands out from what lies behind it."""
    towards = 0.0 if luminance(behind) > 0.5 else 1.0
    for step in range(101):
        share = step / 100
        red, green, blue = (part + (towards - part) * share for part in one)
        if contrast((red, green, blue), behind) >= CONTRAST:
            return red, green, blue
    return towards, towards, towards


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(one: Colour) -> float:
    """Return the relative luminance of a colour in sRGB, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in one
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(one: Colour) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in one)
