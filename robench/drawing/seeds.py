"""The band that the seeds of one defense span along its robustness curve."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from robench.contents import Point
from robench.drawing.style import BAND, Colour

Place = tuple[float, float]
"""rho and benign accuracy."""


def draw(ax: Axes, points: Sequence[Point], colour: Colour) -> None:
    """Draw the band over the seeds of `points`, in the order they are joined in, and each seed."""
    if not several(points):
        return
    clouds = [point.seeds or ((point.rho.value, point.benign.value),) for point in points]
    band = outline(clouds)
    if band is not None:
        ax.add_patch(PathPatch(band, facecolor=colour, alpha=BAND, linewidth=0))
    seeds = [seed for point in points for seed in point.seeds]
    ax.plot(
        [rho for rho, _ in seeds],
        [benign for _, benign in seeds],
        linestyle="none",
        marker=".",
        markersize=5,
        markeredgewidth=0,
        color=colour,
        alpha=0.7,
    )


def several(points: Iterable[Point]) -> bool:
    """Tell whether a point was measured with more than one seed."""
    return any(len(point.seeds) > 1 for point in points)


def outline(clouds: Sequence[Iterable[Place]]) -> Path | None:
    """Return the hulls of each two clouds that follow each other, as one path.

    Whatever line a seed's own curve takes between its points lies inside. All hulls turn the same
    way, so that filling the path fills their union evenly. None where they have no area.
    """
    sets = [list(cloud) for cloud in clouds]
    pairs = [one + two for one, two in pairwise(sets)] or sets
    hulls = [corners for corners in map(hull, pairs) if len(corners) > 2]
    return Path.make_compound_path(*map(_closed, hulls)) if hulls else None


def hull(places: Iterable[Place]) -> list[Place]:
    """Return the corners of the convex hull, anticlockwise (Andrew, 1979)."""
    ordered = sorted(set(places))
    if len(ordered) < 3:
        return ordered
    return _lower(ordered)[:-1] + _lower(ordered[::-1])[:-1]


def _lower(ordered: Sequence[Place]) -> list[Place]:
    chain: list[Place] = []
    for place in ordered:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], place) <= 0:
            chain.pop()
        chain.append(place)
    return chain


def _turn(a: Place, b: Place, c: Place) -> float:
    """Return twice the area of the triangle, positive where it turns left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _closed(corners: Sequence[Place]) -> Path:
    return Path([*corners, corners[0]], closed=True)
