"""The numbers of a defense: means over its training seeds, with intervals over images and seeds.

Each resample draws the test images and the seeds anew, both with replacement, as
`robench.comparison` does (Owen's pigeonhole bootstrap, 2007). One seed has intervals over images
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robench import metrics, resampling
from robench.metrics import RESAMPLES, Interval
from robench.outcomes import LONGER, Outcomes

Block = NDArray[np.float64]
"""(n, 2 seeds): of each image what is summed above and below the line of a ratio, seed by seed."""


@dataclass(frozen=True)
class Numbers:
    """What the summary shows of an envelope."""

    benign: Interval
    rho_correct: Interval
    """Mean L2 norm over correctly classified and fooled images."""
    rho: Interval
    """Mean L2 norm over fooled images, misclassified ones at 0 (paper, Eq. 6)."""
    success: Interval
    accuracy: tuple[Interval, ...]
    """Share of images that are correct and have no error within each radius."""


def numbers(networks: Sequence[Outcomes], radii: Sequence[float], name: str) -> Numbers:
    """Return the numbers of one defense, one network a seed, all on the same images.

    `radii`: where the accuracy is asked for, L2. `name` of the defense, by which its seeds are
    drawn: no other defense's seeds are drawn with them.
    """
    lengths = [
        _block([resampling.fooled(one, one.correct) for one in networks]),
        _block([resampling.fooled(one, np.ones_like(one.correct)) for one in networks]),
    ]
    shares = [
        _block([_share(one.correct) for one in networks]),
        _block([_share(one.success & one.correct, among=one.correct) for one in networks]),
        *(_block([_share(_survives(one, e)) for one in networks]) for e in radii),
    ]
    measured = _intervals([*lengths, *shares], name)
    benign, success, *accuracy = (
        _wide(interval, block) for interval, block in zip(measured[2:], shares, strict=True)
    )
    return Numbers(benign, measured[0], measured[1], success, tuple(accuracy))


def benign_accuracy(networks: Sequence[Outcomes], name: str) -> Interval:
    """Return the mean benign accuracy over seeds."""
    block = _block([_share(one.correct) for one in networks])
    return _wide(_intervals([block], name)[0], block)


def _survives(one: Outcomes, radius: float) -> NDArray[np.bool_]:
    """Tell what is correct and has no error within `radius`, measured as the radius is checked."""
    near = one.success & (one.distance <= radius * (1 + LONGER))
    return one.correct & ~near


def _share(hits: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> Block:
    """Return (n, 2): the hits, and what they are counted among; None: all images."""
    among = np.ones_like(hits) if among is None else among
    return np.stack([hits, among], axis=1).astype(np.float64)


def _block(parts: Sequence[Block]) -> Block:
    return np.concatenate(parts, axis=1)


def _intervals(blocks: Sequence[Block], name: str) -> list[Interval]:
    """Return the mean over seeds of each ratio, images and seeds drawn alike for all of them."""
    totals = resampling.sums(blocks, RESAMPLES, 0)
    drawn = resampling.seeds(blocks[0].shape[1] // 2, RESAMPLES, (0, name, 0))
    ratios = [resampling.ratio(total[:, ::2], total[:, 1::2]) for total in totals]
    means = [np.take_along_axis(ratio, drawn, axis=1).mean(axis=1) for ratio in ratios]
    return [resampling.interval(mean) for mean in means]


def _wide(drawn: Interval, block: Block) -> Interval:
    """Return the interval of a share: Wilson's for one seed, never narrower than it for several.

    The bootstrap alone would say of 1,000 hits in 1,000 that nothing else is possible.
    """
    hits, count = block.sum(axis=0).reshape(-1, 2).mean(axis=0)
    wilson = metrics.wilson(round(hits), round(count))
    if block.shape[1] == 2:
        return wilson
    return Interval(drawn.value, min(drawn.low, wilson.low), max(drawn.high, wilson.high))
