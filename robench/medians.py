"""Medians of images drawn anew, found by counting how often those around the middle were drawn."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench import draws
from robench.draws import Times

REACH = 2.5
"""Square roots of n by which a drawn median may lie off the middle: five standard deviations."""
MOST = 255
"""Truth values that are summed in a byte."""
SHORT = 2**15
"""Images that two bytes count, in half the time that four take."""
Totals = NDArray[np.signedinteger[Any]]


def window(count: int) -> tuple[int, int]:
    """Return between which ranks, from 0, the medians of nearly all resamples of n images lie."""
    half = math.ceil(REACH * math.sqrt(count))
    return max(0, count // 2 - half), min(count, count // 2 + half)


def below(order: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (n,): 1 for the images that come before the window in `order`, else 0."""
    marked = np.zeros(len(order))
    marked[order[: window(len(order))[0]]] = 1.0
    return marked


def medians(
    reach: NDArray[np.float64],
    order: NDArray[np.intp],
    before: NDArray[np.float64],
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return the median of `reach`, (n,), in each resample of `draws`, (resamples,).

    `order` sorts `reach`; `before` is how often images of `below` were drawn, (resamples,).
    """
    count, ascending = len(reach), reach[order]
    middle = ((count + 1) // 2, count // 2 + 1)
    result = np.empty(resamples)
    for part, times in draws.slabs(count, resamples, seed):
        kind = np.int16 if count < SHORT else np.int32
        lower, upper = _ranks(times, order, before[part].astype(kind), middle)
        result[part] = (ascending[lower] + ascending[upper]) / 2
    return result


def _ranks(
    times: Times, order: NDArray[np.intp], before: Totals, middle: tuple[int, int]
) -> list[NDArray[np.int32]]:
    """Return where in `order` the draws numbered `middle`, from 1, lie in each resample."""
    start, stop = window(len(order))
    totals = _totals(times, order[start:stop], before)
    if (before >= middle[0]).any() or (totals[-1] < middle[1]).any():
        start, totals = 0, _totals(times, order, np.zeros_like(before))
    return [start + _count(totals < one) for one in middle]


def _totals(times: Times, order: NDArray[np.intp], before: Totals) -> Totals:
    """Return how often the images up to each in `order` were drawn, beyond `before`."""
    totals = times[order].astype(before.dtype)
    totals[0] += before
    for place in range(1, len(totals)):  # cumsum is ten times slower along the first axis
        np.add(totals[place - 1], totals[place], out=totals[place])
    return totals


def _count(marked: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return how many of each column are true."""
    found = np.zeros(marked.shape[1], dtype=np.int32)
    for start in range(0, len(marked), MOST):  # sums that fit into a byte take no conversion
        found += np.add.reduce(marked[start : start + MOST].view(np.uint8), axis=0, dtype=np.uint8)
    return found
