"""Which of two robustness curves lies above the other, over the accuracies that both cover.

A curve (paper, Fig. 5) has a point for every strength of a defense: its benign accuracy and rho,
both on the same attacked images, each the mean over training seeds. Points are joined by straight
lines in the order of their accuracy.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robench import metrics, piecewise, resampling
from robench.comparison import lowest_success
from robench.metrics import RESAMPLES, SUFFICIENT, Interval
from robench.outcomes import Outcomes
from robench.piecewise import Curve

Measure = Literal["rho", "rho_correct"]
"""The paper's Eq. 6, or the mean over correctly classified images alone; both in `metrics`."""
Strength = Sequence[Outcomes]
"""The outcomes of one attack on the networks of one setting, one a training seed."""


@dataclass(frozen=True)
class Dominance:
    """Two robustness curves over the benign accuracies, fractions, that both cover."""

    first: str
    second: str
    low_accuracy: float
    high_accuracy: float
    area: Interval
    """Integral over accuracy of the first's rho less the second's."""
    advantage: Interval
    """The area over its width: the mean difference in rho at equal accuracy, L2 norm."""
    crossings: tuple[float, ...]
    """Accuracies, ascending, at which the difference changes sign."""
    share_ahead: float
    """Share of the accuracies at which the first is ahead."""
    points: tuple[int, int]
    """Strengths on either curve."""
    images: int
    seeds: tuple[int, int]
    """Fewest training seeds a strength. With one, intervals are over images alone."""
    success: tuple[float, float]
    """Lowest success rate of the attack on either curve."""
    resamples: int
    left_out: int
    """Resamples in which the curves shared no accuracy, or a point could not be measured."""

    @property
    def tie(self) -> bool:
        """Tell whether the interval of the advantage contains 0."""
        return self.advantage.low <= 0 <= self.advantage.high

    @property
    def leader(self) -> str | None:
        """Return who is ahead on average; None for a tie."""
        if self.advantage.low > 0:
            return self.first
        return self.second if self.advantage.high < 0 else None

    @property
    def sufficient(self) -> bool:
        """Tell whether the attack fooled enough everywhere: rho leaves its failures out."""
        return all(rate >= SUFFICIENT for rate in self.success)


@dataclass(frozen=True)
class Incomparable:
    """Two curves that no accuracy allows to compare."""

    first: str
    second: str
    accuracies: tuple[tuple[float, ...], tuple[float, ...]]
    """Benign accuracies of the points of either curve, ascending."""

    @property
    def reason(self) -> str:
        """Return why, as the end of a sentence."""
        short = [
            name
            for name, points in zip((self.first, self.second), self.accuracies, strict=True)
            if len(points) < 2
        ]
        if short:
            return f"fewer than two points on the curve of {' and of '.join(short)}"
        return "they share no range of accuracies"


@dataclass(frozen=True, eq=False)
class _Measured:
    """A curve with its resamples."""

    strengths: Sequence[Strength]
    """Those that have rho, ascending in accuracy."""
    points: Sequence[NDArray[np.float64]]
    """Accuracy and rho of each strength, (2, 1 + resamples)."""


def compare(
    curves: Mapping[str, Sequence[Strength]],
    measure: Measure = "rho",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Dominance | Incomparable, ...]:
    """Return what all pairs of curves come to, in the order of the names.

    UserError unless all networks were attacked on the same images. A strength without rho, as the
    attack fooled no image, is no point. Each resample draws the images once for all networks, and
    the seeds of each strength, and takes every point's accuracy and rho from them. Intervals are
    for each pair by itself, not corrected for the number of pairs.
    """
    networks = {name: [one for row in curve for one in row] for name, curve in curves.items()}
    resampling.check_same_images({name: found for name, found in networks.items() if found})
    usable = {name: _usable(curve, measure) for name, curve in curves.items()}
    blocks = [_summed(row, measure) for strengths in usable.values() for row in strengths]
    totals = iter(resampling.sums(blocks, resamples, seed) if blocks else [])
    measured = {}
    for name, strengths in usable.items():
        points = [
            _point(next(totals), row, (seed, name, place)) for place, row in enumerate(strengths)
        ]
        measured[name] = _Measured(strengths, points)
    return tuple(
        _compared(first, measured[first], second, measured[second])
        for first, second in combinations(curves, 2)
    )


def _compared(
    first: str, one: _Measured, second: str, other: _Measured
) -> Dominance | Incomparable:
    apart = Incomparable(first, second, (_accuracies(one), _accuracies(other)))
    if min(len(one.points), len(other.points)) < 2:
        return apart
    both = [piecewise.through(*np.stack(side.points, axis=-1)) for side in (one, other)]
    gap = piecewise.difference(*both)
    shown = Curve(gap.x[0], gap.y[0])
    if math.isnan(shown.width):
        return apart
    return Dominance(
        first=first,
        second=second,
        low_accuracy=float(shown.x[0]),
        high_accuracy=float(shown.x[-1]),
        area=resampling.interval(gap.area),
        advantage=resampling.interval(gap.area / gap.width),
        crossings=piecewise.crossings(shown),
        share_ahead=piecewise.share_above(shown),
        points=(len(one.points), len(other.points)),
        images=len(one.strengths[0][0].label),
        seeds=(min(map(len, one.strengths)), min(map(len, other.strengths))),
        success=(_success(one), _success(other)),
        resamples=len(gap.area) - 1,
        left_out=int(np.isnan(gap.area[1:]).sum()),
    )


def _usable(curve: Sequence[Strength], measure: Measure) -> list[Strength]:
    """Return the strengths that have rho, by accuracy: then no draw depends on their order."""
    of = metrics.rho if measure == "rho" else metrics.rho_correct
    points = []
    for row in curve:
        rho = sum(map(of, row)) / len(row) if row else math.nan
        if not math.isnan(rho):
            points.append((_accuracy(row), rho, row))
    return [row for _, _, row in sorted(points, key=lambda point: point[:2])]


def _summed(row: Strength, measure: Measure) -> NDArray[np.float64]:
    """Return what is summed for a strength, (n, 3 seeds): correct, distance, counted in rho."""
    blocks = []
    for one in row:
        among = one.correct if measure == "rho_correct" else np.ones_like(one.correct)
        correct = one.correct.astype(np.float64)[:, None]
        blocks += [correct, resampling.fooled(one, among)]
    return np.concatenate(blocks, axis=1)


def _point(
    total: NDArray[np.float64], row: Strength, key: tuple[int, str, int]
) -> NDArray[np.float64]:
    """Draw the seeds and return the means of accuracy and rho over them, (2, 1 + resamples)."""
    accuracy = total[:, ::3] / len(row[0].label)
    rho = metrics.ratio(total[:, 1::3], total[:, 2::3])
    drawn = resampling.seeds(len(row), len(total) - 1, key)
    return np.stack([np.take_along_axis(x, drawn, axis=1).mean(axis=1) for x in (accuracy, rho)])


def _accuracies(measured: _Measured) -> tuple[float, ...]:
    return tuple(_accuracy(row) for row in measured.strengths)


def _accuracy(row: Strength) -> float:
    return sum(metrics.benign_accuracy(one).value for one in row) / len(row)


def _success(measured: _Measured) -> float:
    return lowest_success(one for row in measured.strengths for one in row)
