"""Error bars: 95 % intervals beside the points they belong to."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from robench.drawing.style import Colour
from robench.metrics import Interval


def lengths(measured: Sequence[Interval]) -> list[list[float]]:
    """Return how far intervals reach below and above; never below 0, which rounding could."""
    return [
        [max(0.0, one.value - one.low) for one in measured],
        [max(0.0, one.high - one.value) for one in measured],
    ]


def draw(
    ax: Axes,
    x: Sequence[float] | Sequence[Interval],
    y: Sequence[Interval],
    colour: Colour,
    alpha: float = 0.6,
) -> None:
    """Draw the intervals of `y`, and those of `x` where it has some, as thin bars."""
    across = [one for one in x if isinstance(one, Interval)]
    ax.errorbar(
        [one.value if isinstance(one, Interval) else one for one in x],
        [one.value for one in y],
        xerr=lengths(across) if across else None,
        yerr=lengths(y),
        fmt="none",
        ecolor=colour,
        elinewidth=1,
        zorder=1.9,  # below the points of every variant
        alpha=alpha,
    )
