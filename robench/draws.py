"""Images drawn anew with replacement, the same for whatever is summed over them.

For one seed and one number of images the draws are always the same. They are kept as how often each
image was drawn, so that summing over thousands of networks costs a matrix product and no new draw.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 17
"""Most images drawn or multiplied at once: few enough for a processor's cache."""
KEPT = 1 << 25
"""Most numbers of times that are held at once, a byte each or two."""

Times = NDArray[np.unsignedinteger[Any]]
"""(n, resamples): how often each of n images was drawn."""


def slabs(count: int, resamples: int, seed: int) -> Iterator[tuple[slice, Times]]:
    """Yield all resamples, each of `count` of `count` images, as slices with their times.

    A resample draws with replacement (Efron, 1979). All at once, and kept for the next call, where
    `KEPT` allows that.
    """
    rows = max(1, KEPT // max(1, count))
    if rows >= resamples:
        yield slice(0, resamples), _kept(count, resamples, seed, max(1, CHUNK // max(1, count)))
        return
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, rows):
        part = slice(start, min(start + rows, resamples))
        yield part, _times(generator, count, part.stop - part.start, max(1, CHUNK // count))


def sums(columns: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the column sums (resamples, k) over images drawn anew, of columns (n, k).

    Equal columns are summed once: networks under several attacks share most of theirs.
    """
    count = len(columns)
    places: dict[bytes, int] = {}
    where = [places.setdefault(column.tobytes(), len(places)) for column in columns.T]
    distinct = np.empty((len(places), count))
    distinct[where] = columns.T
    result = np.empty((len(places), resamples))
    rows = max(1, CHUNK // max(1, count))
    for part, times in slabs(count, resamples, seed):
        for start in range(0, times.shape[1], rows):
            drawn = times[:, start : start + rows].astype(np.float64)
            first = part.start + start
            np.matmul(distinct, drawn, out=result[:, first : first + drawn.shape[1]])
    return result[where].T


@lru_cache(maxsize=2)
def _kept(count: int, resamples: int, seed: int, rows: int) -> Times:
    times = _times(np.random.default_rng(seed), count, resamples, rows)
    times.setflags(write=False)
    return times


def _times(generator: np.random.Generator, count: int, resamples: int, rows: int) -> Times:
    """Draw so many resamples, `rows` at a time, and count; the draws do not depend on `rows`."""
    times = np.zeros((count, resamples), dtype=np.uint8 if count < 256 else np.uint16)
    for start in range(0, resamples if count else 0, rows):
        stop = min(start + rows, resamples)
        drawn = generator.integers(count, size=(stop - start, count), dtype=np.int32)
        cells = drawn + np.arange(0, (stop - start) * count, count)[:, None]
        counted = np.bincount(cells.ravel(), minlength=(stop - start) * count)
        times[:, start:stop] = counted.reshape(stop - start, count).T
    return times
