"""By how much two defenses differ in rho_correct at one target: a paired bootstrap.

Images are drawn once for both sides, which removes what all networks find hard alike. The training
seeds of the two sides are drawn independently, also where their numbers are equal: one number gives
two defenses the same first weights and order of batches, not the same training. Where it does tie
their results together, independent draws make the interval too wide, never too narrow.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robench import metrics, resampling
from robench.metrics import RESAMPLES, SUFFICIENT, Interval
from robench.outcomes import Outcomes

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
    resampling.check_same_images(rows)
    pairs = list(combinations(rows, 2))
    blocks = [block for pair in pairs for block in _summed([rows[name] for name in pair], on)]
    totals = resampling.sums(blocks, resamples, seed) if blocks else []
    return tuple(
        _difference(rows, pair, on, totals[2 * place : 2 * place + 2], seed)
        for place, pair in enumerate(pairs)
    )


def ranks(names: Iterable[str], differences: Iterable[Difference]) -> dict[str, int]:
    """Return each name's rank: 1 and the number of those that are clearly ahead of it."""
    behind = Counter(
        one.second if one.leader == one.first else one.first for one in differences if one.leader
    )
    return {name: 1 + behind[name] for name in names}


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


def _difference(
    rows: Mapping[str, Sequence[Outcomes]],
    pair: tuple[str, str],
    on: Images,
    totals: Sequence[NDArray[np.float64]],
    seed: int,
) -> Difference:
    first, second = pair
    one, other = (
        resampling.mean_over_seeds(total, (seed, name, 0))
        for name, total in zip(pair, totals, strict=True)
    )
    measured = resampling.interval(one - other)
    return Difference(
        first=first,
        second=second,
        value=measured.value,
        low=measured.low,
        high=measured.high,
        images=int(totals[0][0, 1]) if on == "both" else len(rows[first][0].label),
        seeds=(len(rows[first]), len(rows[second])),
        on=on,
        success=(lowest_success(rows[first]), lowest_success(rows[second])),
    )
