"""By how much two defenses differ in rho_correct at one target: a paired bootstrap.

Images are drawn once for both sides, which removes what all networks find hard alike. The training
seeds of the two sides are drawn independently, also where their numbers are equal: one number gives
two defenses the same first weights and order of batches, not the same training. Where it does tie
their results together, independent draws make the interval too wide, never too narrow.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from robench import metrics, resampling
from robench.metrics import RESAMPLES, SUFFICIENT, Interval
from robench.outcomes import Outcomes

BATCH = 64
"""Rows measured at once, which bounds the memory of what is summed over each resample."""
BLOCK = 1024
"""Rows held against one at once."""
Images = Literal["own", "both"]
"""Which images count. `own`: those that a network classifies correctly and is fooled on, for each
network its own, as rho_correct has it. `both`: those that this holds for on every network of both
sides, so that each image has a distance on either."""


@dataclass(frozen=True)
class Difference:
    """rho_correct of `first` less that of `second`, L2 norm, with a 95 % interval.

    All three numbers are nan where a network has no image that is classified correctly and fooled.
    """

    first: str
    second: str
    value: float
    low: float
    high: float
    images: int
    """The attacked ones, or with `on` both those that count."""
    seeds: tuple[int, int]
    """Training seeds of either side. With one, the interval is over images alone."""
    on: Images
    success: tuple[float, float]
    """Success rate of the attack on either side, the lowest over its seeds."""
    benign: Interval
    """Benign accuracy of `first` less that of `second`: rows are matched within a tolerance, on
    other images, and who is less accurate is more robust for it."""

    @property
    def interval(self) -> Interval:
        """Return the difference as the tables show it."""
        return Interval(self.value, self.low, self.high)

    @property
    def tie(self) -> bool:
        """Tell whether the interval contains 0."""
        return self.low <= 0 <= self.high

    @property
    def leader(self) -> str | None:
        """Return who is ahead; None for a tie or where nothing was measured."""
        if self.low > 0:
            return self.first
        return self.second if self.high < 0 else None

    @property
    def sufficient(self) -> bool:
        """Tell whether the attack fooled enough on both sides: rho leaves its failures out."""
        return all(rate >= SUFFICIENT for rate in self.success)


class Pairs(Sequence[Difference]):
    """The differences of all pairs of rows, each computed when it is asked for.

    Pairs grow with the square of the rows: what is held grows with the rows alone. They come in the
    order of the names.
    """

    def __init__(
        self, rows: Mapping[str, Sequence[Outcomes]], resamples: int = RESAMPLES, seed: int = 0
    ) -> None:
        """Measure all rows; `rows` as in `compare`, whose differences on `own` images these are."""
        resampling.check_same_images(rows)
        self.names = tuple(rows)
        self._rows = rows
        self._means = {
            name: resampling.mean_over_seeds(total, (seed, name, 0))
            for name, total in _totals(rows, resamples, seed)
        }
        self._success = {name: lowest_success(networks) for name, networks in rows.items()}

    def __len__(self) -> int:
        return math.comb(len(self.names), 2)

    @overload
    def __getitem__(self, place: int) -> Difference: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Difference, ...]: ...

    def __getitem__(self, place: int | slice) -> Difference | tuple[Difference, ...]:
        if isinstance(place, slice):
            pairs = list(combinations(self.names, 2))[place]
            return tuple(self.of(first, second) for first, second in pairs)
        if not -len(self) <= place < len(self):
            raise IndexError(f"pair {place} of {len(self)}")
        pairs_before = place % len(self)
        for first, name in enumerate(self.names):
            if pairs_before < (others := len(self.names) - first - 1):
                return self.of(name, self.names[first + 1 + pairs_before])
            pairs_before -= others
        raise IndexError(place)

    def __iter__(self) -> Iterator[Difference]:
        return (self.of(first, second) for first, second in combinations(self.names, 2))

    def of(self, first: str, second: str) -> Difference:
        """Return by how much `first` is ahead of `second`, in either order of the two."""
        return Difference(
            *(first, second, *_interval(self._means[first], self._means[second])),
            images=len(self._rows[first][0].label),
            seeds=(len(self._rows[first]), len(self._rows[second])),
            on="own",
            success=(self._success[first], self._success[second]),
            benign=metrics.paired_accuracy(self._rows[first], self._rows[second]),
        )

    def around(self, name: str) -> Iterator[Difference]:
        """Yield the differences between one row and each other, in the order of the names."""
        for pair in combinations(self.names, 2):
            if name in pair:
                yield self.of(*pair)

    def ranks(self) -> dict[str, int]:
        """Return each name's rank: 1 and the number of those that are clearly ahead of it."""
        if not self.names:
            return {}
        drawn = np.stack([self._means[name] for name in self.names])[:, 1:]
        behind = standing_behind(drawn)
        return {name: 1 + int(count) for name, count in zip(self.names, behind, strict=True)}


def standing_behind(drawn: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return of each row of `drawn`, (n, resamples), how many others are clearly ahead of it.

    Ahead as `Difference.leader` has it, without any interval: its lower bound is above 0 where few
    enough of the resamples are not.
    """
    behind = np.zeros(len(drawn), dtype=np.int64)
    least, most = drawn.min(axis=1, initial=math.inf), drawn.max(axis=1, initial=-math.inf)
    for place, own in enumerate(drawn[:-1]):
        others = slice(place + 1, None)
        leads, trails = own.min() > most[others], own.max() < least[others]
        # Most rows of many are far apart; where one is nan, neither says so.
        unsure = np.flatnonzero(~leads & ~trails)
        for start in range(0, len(unsure), BLOCK):
            near = unsure[start : start + BLOCK]
            leads[near], trails[near] = _ahead(own, drawn[others][near])
        behind[others] += leads
        behind[place] += int(trails.sum())
    return behind


def _ahead(
    own: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell of which rows of `others` the bootstrap puts `own` clearly ahead, and behind."""
    if np.isnan(own).any() or np.isnan(others).any():
        found = [metrics.percentiles(math.nan, own - other) for other in others]
        return np.array([one.low > 0 for one in found]), np.array([one.high < 0 for one in found])
    low, high = metrics.bounds(len(own))
    leads = np.count_nonzero(own <= others, axis=1) <= low
    return leads, np.count_nonzero(own >= others, axis=1) < len(own) - high


def _totals(
    rows: Mapping[str, Sequence[Outcomes]], resamples: int, seed: int
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield each row with what is summed over its own images, some rows at a time."""
    names = list(rows)
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        blocks = [_summed([rows[name]], "own")[0] for name in some]
        yield from zip(some, resampling.sums(blocks, resamples, seed), strict=True)


def compare(
    rows: Mapping[str, Sequence[Outcomes]],
    on: Images = "own",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """Return the differences of all pairs, in the order of the names.

    A row holds the outcomes of one minimal attack, one a training seed, all on the same images;
    UserError otherwise. The difference is that of the means over seeds. A pair's numbers do not
    depend on the other rows, and swapping it changes their signs. Intervals are for each pair by
    itself, not corrected for the number of pairs.
    """
    if on == "own":
        return tuple(Pairs(rows, resamples, seed))
    resampling.check_same_images(rows)
    found = []
    for pair in combinations(rows, 2):
        totals = resampling.sums(_summed([rows[name] for name in pair], on), resamples, seed)
        found.append(_on_both(rows, pair, totals, seed))
    return tuple(found)


def lowest_success(networks: Iterable[Outcomes]) -> float:
    """Return the attack's success rate where it is lowest; nan if nothing is classified right."""
    rates = [metrics.success_rate(one).value for one in networks]
    return min((rate for rate in rates if not math.isnan(rate)), default=math.nan)


def _summed(sides: Sequence[Sequence[Outcomes]], on: Images) -> list[NDArray[np.float64]]:
    """Return for either side what is summed, (n, 2 seeds): distance and 1 of what counts."""
    networks = [one for side in sides for one in side]
    common = np.logical_and.reduce([one.correct & one.success for one in networks])
    return [
        np.concatenate(
            [resampling.fooled(one, common if on == "both" else one.correct) for one in side],
            axis=1,
        )
        for side in sides
    ]


def _on_both(
    rows: Mapping[str, Sequence[Outcomes]],
    pair: tuple[str, str],
    totals: Sequence[NDArray[np.float64]],
    seed: int,
) -> Difference:
    one, other = (
        resampling.mean_over_seeds(total, (seed, name, 0))
        for name, total in zip(pair, totals, strict=True)
    )
    first, second = (rows[name] for name in pair)
    return Difference(
        *(*pair, *_interval(one, other)),
        images=int(totals[0][0, 1]),
        seeds=(len(first), len(second)),
        on="both",
        success=(lowest_success(first), lowest_success(second)),
        benign=metrics.paired_accuracy(first, second),
    )


def _interval(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float, float]:
    measured = resampling.interval(one - other)
    return measured.value, measured.low, measured.high
