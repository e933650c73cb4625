"""Test images and training seeds drawn anew with replacement, alike for all networks compared.

In every array that is returned the first row holds what was measured itself, the others the
resamples, so that one formula gives a value and what its interval comes from.
"""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from robench import draws
from robench.errors import UserError
from robench.metrics import Interval, percentiles, ratio
from robench.outcomes import Outcomes

UNIT = 2.0**-32
"""Distances are rounded to a multiple of this, far below the float32 they are stored in. Sums over
up to 32,768 images are then exact, and equal networks differ by 0 whatever the order of summing."""


def check_same_images(networks: Mapping[str, Sequence[Outcomes]]) -> None:
    """Raise UserError unless all networks were attacked on the same images, and there are some."""
    known: tuple[str, Outcomes] | None = None
    for name, measured in networks.items():
        if not measured:
            raise UserError(f"{name} has no outcomes to compare; evaluate it or leave it out")
        for one in measured:
            known = known or (name, one)
            if not _same_images(known[1], one):
                raise UserError(
                    f"{known[0]} and {name} were attacked on different test images, and a paired "
                    "comparison needs the same; evaluate both with the same --images and "
                    "--image-seed"
                )


def fooled(outcomes: Outcomes, among: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (n, 2): of each image in `among` that was fooled its distance and a 1, else zeros.

    The sum of the first column over that of the second is the mean distance; `among` is bool, (n,).
    """
    kept = outcomes.success & among
    length = np.where(kept, outcomes.distance.astype(np.float64), 0.0)
    return np.stack([np.rint(length / UNIT) * UNIT, kept.astype(np.float64)], axis=1)


def sums(
    blocks: Sequence[NDArray[np.float64]], resamples: int, seed: int
) -> list[NDArray[np.float64]]:
    """Return of each block (n, k) its column sums (1 + resamples, k) over images drawn anew.

    A resample draws n images with replacement, the same for all blocks: this pairs the networks.
    For the same `seed` they are those of `metrics.distances`.
    """
    columns = np.concatenate(blocks, axis=1)
    result = np.concatenate([columns.sum(axis=0)[None], draws.sums(columns, resamples, seed)])
    return np.split(result, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=1)


def seeds(count: int, resamples: int, key: tuple[int, str, int]) -> NDArray[np.int64]:
    """Return places (1 + resamples, count) of training seeds, drawn with replacement.

    `key` is the seed of the draw, a name and a number: other keys draw independently.
    """
    seed, name, number = key
    generator = np.random.default_rng([seed, crc32(name.encode()), number])
    drawn = generator.integers(count, size=(resamples, count))
    return np.concatenate([np.arange(count)[None], drawn])


def mean_over_seeds(total: NDArray[np.float64], key: tuple[int, str, int]) -> NDArray[np.float64]:
    """Draw seeds and return the mean of their mean distances, (1 + resamples,).

    `total`: what `sums` makes of a network's `fooled` beside the next one's; `key` as in `seeds`.
    """
    each = ratio(total[:, ::2], total[:, 1::2])
    drawn = seeds(each.shape[1], len(each) - 1, key)
    return np.take_along_axis(each, drawn, axis=1).mean(axis=1)


def interval(values: NDArray[np.float64]) -> Interval:
    """Return the first of `values` with the 95 % percentile interval of the others."""
    return percentiles(float(values[0]), values[1:])


def _same_images(one: Outcomes, other: Outcomes) -> bool:
    same = np.array_equal(one.index, other.index)
    return same and np.array_equal(one.label, other.label)
