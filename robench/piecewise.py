"""Piecewise linear curves: their difference where they overlap, its area, sign and zeros.

Arrays are float64, a curve along the last axis; leading axes hold many curves at once.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-12
"""A smaller difference of two curves is 0: what interpolation leaves where they coincide."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Points (..., k) joined by straight lines, ascending in x; nan where there is no curve."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def width(self) -> NDArray[np.float64]:
        """Return the length of the range of x, (...)."""
        return self.x[..., -1] - self.x[..., 0]

    @property
    def area(self) -> NDArray[np.float64]:
        """Return the integral of y over x, (...)."""
        middle = (self.y[..., 1:] + self.y[..., :-1]) / 2
        return (np.diff(self.x) * middle).sum(axis=-1)


def through(x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    """Return the curve through points (..., k) in any order; those of equal x are averaged."""
    order = np.lexsort((y, x))
    x, y = np.take_along_axis(x, order, axis=-1), np.take_along_axis(y, order, axis=-1)
    same = (x[..., :, None] == x[..., None, :]).astype(np.float64)
    mean = (same * y[..., None, :]).sum(axis=-1) / np.maximum(same.sum(axis=-1), 1)
    return Curve(x, mean)


def difference(first: Curve, second: Curve) -> Curve:
    """Return `first` less `second` on the range of x they share, with the points of both.

    The points, (..., k + l), lie where either curve bends, so the result is exact. It is nan where
    the range is empty or a single x.
    """
    low = np.maximum(first.x[..., :1], second.x[..., :1])
    high = np.minimum(first.x[..., -1:], second.x[..., -1:])
    bends = np.concatenate([first.x, second.x], axis=-1)
    x = np.where(low < high, np.sort(np.clip(bends, low, high), axis=-1), np.nan)
    y = _at(first, x) - _at(second, x)
    return Curve(x, np.where(np.abs(y) < ROUNDING, 0.0, y))


def crossings(curve: Curve) -> tuple[float, ...]:
    """Return every x at which one curve's y changes sign; the middle of a stretch where it is 0."""
    x, y = curve.x, curve.y
    found = []
    for left, right in pairwise(np.flatnonzero(y)):
        if y[left] * y[right] > 0:
            continue
        if right == left + 1:
            share = y[left] / (y[left] - y[right])
            found.append(float(x[left] + share * (x[right] - x[left])))
        else:
            found.append(float((x[left + 1] + x[right - 1]) / 2))
    return tuple(found)


def share_above(curve: Curve) -> float:
    """Return the share of one curve's range of x on which its y is positive."""
    above, below = np.maximum(curve.y, 0), np.maximum(-curve.y, 0)
    up, down = above[1:] + above[:-1], below[1:] + below[:-1]
    total = up + down
    share = np.divide(up, total, out=np.zeros_like(up), where=total > 0)
    return float((np.diff(curve.x) * share).sum() / curve.width)


def _at(curve: Curve, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the curve's y at every x, (..., l), within its range."""
    passed = (x[..., :, None] >= curve.x[..., None, :]).sum(axis=-1)
    left = np.clip(passed - 1, 0, curve.x.shape[-1] - 2)
    from_x, to_x = (np.take_along_axis(curve.x, left + place, axis=-1) for place in (0, 1))
    from_y, to_y = (np.take_along_axis(curve.y, left + place, axis=-1) for place in (0, 1))
    width = to_x - from_x
    share = np.divide(x - from_x, width, out=np.zeros_like(x), where=width > 0)
    return (1 - share) * from_y + share * to_y
