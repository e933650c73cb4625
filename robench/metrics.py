"""Every number the report shows, computed from the outcomes of one attack on one network.

Accuracies are fractions, norms L2 on [0, 1] images. An empty set gives nan. `docs/metrics.md` gives
the formulas and says how to read them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robench import draws, medians
from robench.outcomes import Outcomes

Z95 = 1.959963984540054
"""97.5 % quantile of the normal distribution: the half-width of a 95 % interval."""
SUFFICIENT = 0.995
"""Success rate below which rho says as much about the attack as about the defense."""
RESAMPLES = 2000
BATCH = 128
"""Networks measured at once, which bounds the memory of their resamples to some 20 MB."""


@dataclass(frozen=True)
class Interval:
    """A measured value and its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Distances:
    """How far a minimal attack had to go; L2 norms."""

    rho: Interval
    rho_correct: Interval
    median: Interval


def wilson(hits: int, count: int) -> Interval:
    """Return `hits` / `count` with Wilson's score interval (Wilson, 1927)."""
    if count == 0:
        return Interval(math.nan, math.nan, math.nan)
    share = hits / count
    square = Z95**2 / count
    middle = (share + square / 2) / (1 + square)
    half = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    # At 0 and 1 the bound is the value itself, which rounding would miss by 1e-17.
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == count else middle + half
    return Interval(share, low, high)


def benign_accuracy(outcomes: Outcomes) -> Interval:
    """Return the share of images classified correctly before the attack."""
    return wilson(int(outcomes.correct.sum()), len(outcomes.label))


def paired_accuracy(first: Sequence[Outcomes], second: Sequence[Outcomes]) -> Interval:
    """Return the benign accuracy of one defense less another's; one entry a training seed.

    On the same images. The interval is normal, over images and, where a side has several seeds,
    over these; nan for fewer than two images.
    """
    sides = [np.stack([one.correct for one in side]).astype(float) for side in (first, second)]
    each = sides[0].mean(axis=0) - sides[1].mean(axis=0)
    if len(each) < 2:
        return Interval(float(each[0]) if len(each) else math.nan, math.nan, math.nan)
    spread = each.var(ddof=1) / len(each)
    for side in sides:
        if len(side) > 1:
            spread += side.mean(axis=1).var(ddof=1) / len(side)
    value, half = float(each.mean()), Z95 * math.sqrt(spread)
    return Interval(value, value - half, value + half)


def accuracy(outcomes: Outcomes) -> Interval:
    """Return the share of images classified correctly under attack: 1 - mean(success)."""
    return wilson(int((~outcomes.success).sum()), len(outcomes.label))


def success_rate(outcomes: Outcomes) -> Interval:
    """Return the share of the correctly classified images that the attack fooled."""
    fooled = outcomes.success & outcomes.correct
    return wilson(int(fooled.sum()), int(outcomes.correct.sum()))


def rho(outcomes: Outcomes) -> float:
    """Return the mean distance over all successes, misclassified images at 0 (paper, Eq. 6).

    Failures are left out, so rho rewards a network on which the attack fails: read it together
    with the success rate.
    """
    return _mean(outcomes.distance[outcomes.success])


def rho_correct(outcomes: Outcomes) -> float:
    """Return the mean distance over the correctly classified images that the attack fooled."""
    return _mean(outcomes.distance[outcomes.success & outcomes.correct])


def mean_norm(outcomes: Outcomes) -> float:
    """Return the mean norm of all perturbations, of those that failed too (paper, Figs. 3 and 8).

    For attacks of fixed budget. nan where a norm is not known; see `Outcomes.norm`.
    """
    return _mean(outcomes.norm)


def median(outcomes: Outcomes) -> float:
    """Return the median distance over all images; a failure is infinitely far."""
    reach = _reach(outcomes)
    return float(np.median(reach)) if len(reach) else math.nan


def distances(outcomes: Outcomes, resamples: int = RESAMPLES, seed: int = 0) -> Distances:
    """Return rho, rho_correct and the median with bootstrap percentile intervals.

    The images are drawn anew with replacement `resamples` times (Efron, 1979), from a generator
    seeded by `seed`: outcomes over the same images are drawn alike.
    """
    return distances_of([outcomes], resamples, seed)[0]


def distances_of(
    networks: Sequence[Outcomes], resamples: int = RESAMPLES, seed: int = 0
) -> list[Distances]:
    """Return what `distances` does of each network, all on as many images, in less time."""
    found = []
    for start in range(0, len(networks), BATCH):
        batch = networks[start : start + BATCH]
        for outcomes, drawn in zip(batch, _resample(batch, resamples, seed), strict=True):
            values = (rho(outcomes), rho_correct(outcomes), median(outcomes))
            intervals = [percentiles(value, row) for value, row in zip(values, drawn, strict=True)]
            found.append(Distances(*intervals))
    return found


def curve(outcomes: Outcomes, norms: ArrayLike) -> NDArray[np.float64]:
    """Return acc(t) = mean[correct and (attack failed or d > t)] for every t in `norms`."""
    far = np.sort(np.where(outcomes.correct, _reach(outcomes), -1.0))
    if not len(far):
        return np.full(np.shape(norms), math.nan)
    within = np.searchsorted(far, np.asarray(norms, dtype=np.float64), side="right")
    return 1.0 - within / len(far)


def percentiles(value: float, drawn: NDArray[np.float64]) -> Interval:
    """Return the 95 % percentile interval of a value drawn anew; drawn nans are left out."""
    kept = np.sort(drawn[~np.isnan(drawn)])
    if not len(kept):
        return Interval(value, math.nan, math.nan)
    # The outer order statistics: interpolating towards infinity would give nan.
    low, high = bounds(len(kept))
    return Interval(value, float(kept[low]), float(kept[high]))


def bounds(count: int) -> tuple[int, int]:
    """Return which of `count` drawn values, ascending and from 0, bound the 95 % interval."""
    return math.floor(0.025 * (count - 1)), math.ceil(0.975 * (count - 1))


def _reach(outcomes: Outcomes) -> NDArray[np.float64]:
    """Return each image's distance to an error; infinity where the attack failed."""
    return np.where(outcomes.success, outcomes.distance.astype(np.float64), math.inf)


def _mean(values: NDArray[np.float32]) -> float:
    return float(values.mean(dtype=np.float64)) if len(values) else math.nan


def _resample(
    networks: Sequence[Outcomes], resamples: int, seed: int
) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Yield rho, rho_correct and median of each network, of images drawn with replacement."""
    columns, orders = [], []
    for outcomes in networks:
        fooled = outcomes.success.astype(np.float64)
        correct = fooled * outcomes.correct
        reach = _reach(outcomes)
        length = np.where(outcomes.success, reach, 0.0)
        orders.append(np.argsort(reach))
        columns += [length, fooled, length * correct, correct, medians.below(orders[-1])]
    totals = iter(draws.sums(np.stack(columns, axis=1), resamples, seed).T)
    for outcomes, order in zip(networks, orders, strict=True):
        length, fooled, length_correct, correct, before = islice(totals, 5)
        middle = np.full(resamples, math.nan)
        if len(order):
            middle = medians.medians(_reach(outcomes), order, before, resamples, seed)
        yield ratio(length, fooled), ratio(length_correct, correct), middle


def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `above` / `below`; nan where `below` is 0."""
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
