"""How far a minimal attack gets in a given time: its curve through the budgets of a ladder."""

from collections.abc import Sequence
from dataclasses import dataclass

from robench.benchmarking.row import Row
from robench.metrics import SUFFICIENT

FAR = 1.5
"""Times the least mean distance of all, beyond which a budget would flatten the figure: foolbox's
C&W, for one, returns a black image where it found nothing, and counts as far as that."""


@dataclass(frozen=True)
class Point:
    """One budget."""

    seconds: float
    mean_l2: float


@dataclass(frozen=True)
class Curve:
    """An attack's budgets, from the cheapest on."""

    title: str
    library: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Front:
    """The curves of all, on the same images."""

    title: str
    images: int
    curves: tuple[Curve, ...]


def front(rows: Sequence[Row], title: str) -> Front:
    """Return the curves of a front's rows.

    Left out are budgets for which time did not suffice, those that fooled too few images (the ones
    hard to fool are missing from their mean, which is too low), and those of `FAR` means.
    """
    said = [row for row in rows if row.complete and row.success >= SUFFICIENT]
    least = min((row.mean_l2 for row in said if row.mean_l2 is not None), default=0.0)
    found = [
        Curve(
            name,
            next(r.library for r in rows if r.contest == name),
            tuple(
                Point(row.seconds, row.mean_l2)
                for row in said
                if row.contest == name and row.mean_l2 is not None and row.mean_l2 <= FAR * least
            ),
        )
        for name in dict.fromkeys(row.contest for row in rows)
    ]
    images = max((row.images for row in rows), default=0)
    return Front(title, images, tuple(curve for curve in found if curve.points))
