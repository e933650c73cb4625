"""The numbers of a defense: means over its training seeds, with intervals over images and seeds.

Each resample draws the test images and the seeds anew, both with replacement, as
`robench.comparison` does (Owen's pigeonhole bootstrap, 2007). One seed has intervals over images
alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from robench import metrics, resampling
from robench.metrics import RESAMPLES, Interval
from robench.outcomes import LONGER, Outcomes

BATCH = 32
"""Defenses measured at once, which bounds the memory of their resamples."""
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
    return numbers_of({name: networks}, radii)[name]


def numbers_of(
    entries: Mapping[str, Sequence[Outcomes]], radii: Sequence[float]
) -> dict[str, Numbers]:
    """Return what `numbers` does of several defenses, by name, in less time."""
    names, found = list(entries), {}
    for start in range(0, len(names), BATCH):
        batch = {name: _blocks(entries[name], radii) for name in names[start : start + BATCH]}
        drawn = _drawn([(name, _uncertain(own)) for name, own in batch.items()])
        for (name, (_, shares)), measured in zip(batch.items(), drawn, strict=True):
            # Of one seed, the interval of a share takes no draw.
            rest: Sequence[Interval | None] = measured[2:] or [None] * len(shares)
            benign, success, *accuracy = map(_wide, rest, shares)
            found[name] = Numbers(benign, measured[0], measured[1], success, tuple(accuracy))
    return found


def _blocks(
    networks: Sequence[Outcomes], radii: Sequence[float]
) -> tuple[list[Block], list[Block]]:
    """Return what is summed for the mean distances, and for the shares."""
    lengths = [
        _block([resampling.fooled(one, one.correct) for one in networks]),
        _block([resampling.fooled(one, np.ones_like(one.correct)) for one in networks]),
    ]
    shares = [
        _block([_share(one.correct) for one in networks]),
        _block([_share(one.success & one.correct, among=one.correct) for one in networks]),
        *(_block([_share(_survives(one, e)) for one in networks]) for e in radii),
    ]
    return lengths, shares


def _uncertain(blocks: tuple[list[Block], list[Block]]) -> list[Block]:
    lengths, shares = blocks
    return lengths if lengths[0].shape[1] == 2 else [*lengths, *shares]


def benign_accuracy(networks: Sequence[Outcomes], name: str) -> Interval:
    """Return the mean benign accuracy over seeds."""
    block = _block([_share(one.correct) for one in networks])
    ((drawn,),) = _drawn([(name, [block])])
    return _wide(drawn, block)


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


def _drawn(asked: Sequence[tuple[str, list[Block]]]) -> Iterator[list[Interval]]:
    """Yield for each name the mean over seeds of each ratio.

    Images are drawn alike for all of them, the seeds of a name alike for its own.
    """
    blocks = [block for _, own in asked for block in own]
    totals = iter(resampling.sums(blocks, RESAMPLES, 0))
    for name, own in asked:
        seeds = resampling.seeds(own[0].shape[1] // 2, RESAMPLES, (0, name, 0))
        ratios = [metrics.ratio(t[:, ::2], t[:, 1::2]) for t in islice(totals, len(own))]
        means = [np.take_along_axis(ratio, seeds, axis=1).mean(axis=1) for ratio in ratios]
        yield [resampling.interval(mean) for mean in means]


def _wide(drawn: Interval | None, block: Block) -> Interval:
    """Return the interval of a share: Wilson's for one seed, never narrower than it for several.

    The bootstrap alone would say of 1,000 hits in 1,000 that nothing else is possible.
    """
    hits, count = block.sum(axis=0).reshape(-1, 2).mean(axis=0)
    wilson = metrics.wilson(round(hits), round(count))
    if block.shape[1] == 2 or drawn is None:
        return wilson
    return Interval(drawn.value, min(drawn.low, wilson.low), max(drawn.high, wilson.high))
