"""How far a minimal attack gets in a given time: its curve through the budgets of a ladder."""

from collections.abc import Sequence
from dataclasses import dataclass

from robench.benchmarking.row import Row
from robench.metrics import SUFFICIENT


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

    Left out are budgets for which time did not suffice, and those that fooled too few images: the
    ones hard to fool are missing from their mean, which is too low.
    """
    found = [
        Curve(name, next(r.library for r in rows if r.contest == name), _points(rows, name))
        for name in dict.fromkeys(row.contest for row in rows)
    ]
    images = max((row.images for row in rows), default=0)
    return Front(title, images, tuple(curve for curve in found if curve.points))


def _points(rows: Sequence[Row], name: str) -> tuple[Point, ...]:
    return tuple(
        Point(row.seconds, row.mean_l2)
        for row in rows
        if row.contest == name and row.complete and row.success >= SUFFICIENT
        if row.mean_l2 is not None
    )
