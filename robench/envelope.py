"""The worst that any attack did to each image: the least distance at which one succeeded."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from robench.errors import UserError
from robench.outcomes import Outcomes


def envelope(whole: Sequence[Outcomes], parts: Sequence[Outcomes] = ()) -> Outcomes:
    """Return the per-image minimum over all attacks on one network, as outcomes of their own.

    `whole`: of attacks on the same images, at least one; `parts`: of attacks on some of these
    images, which count there. White-box or black-box alike: an adversarial image is one wherever
    it was made (Carlini et al., 2019, "On evaluating adversarial robustness", Section 5).

    `success` where any attack succeeded, `distance` the least over those that did, fixed-budget
    ones with their norm. `adversarial` is the class that the nearest was taken for and `norm` its
    length; where all failed, the class of the image itself and nan, as no one of them stands for
    all. An image that any evaluation found misclassified is so, at 0: they may differ in the last
    bit, on the boundary. Raises UserError for other images, and without any attack.
    """
    if not whole:
        raise UserError("no attack, no envelope; evaluate the network first")
    first = whole[0]
    clean, adversarial = first.clean.copy(), first.clean.copy()
    distance = np.full(len(first.label), np.inf, dtype=np.float32)
    for one in (*whole, *parts):
        at = places(one, first)
        if at is None:
            raise UserError("an envelope is of one network on the same images, or part of them")
        clean[at] = np.where(clean[at] == first.label[at], one.clean, clean[at])
        reach = np.where(one.success, one.distance, np.float32(np.inf))
        adversarial[at] = np.where(reach < distance[at], one.adversarial, adversarial[at])
        distance[at] = np.minimum(reach, distance[at])
    wrong = clean != first.label
    adversarial[wrong], distance[wrong] = clean[wrong], 0
    success = np.isfinite(distance)
    norm = np.where(success, distance, np.float32(np.nan))
    return Outcomes(first.index, first.label, clean, adversarial, distance, success, norm)


def decided(measured: Outcomes, found: Sequence[Outcomes]) -> tuple[int, ...]:
    """Return how many images each of `found` decides in the envelope `measured` over all of them.

    An image counts for the first that reaches its least distance, in the order given. Misclassified
    images and those that no attack fooled count for none.
    """
    left, counts = measured.success & measured.correct, []
    for one in found:
        at = places(one, measured)
        if at is None:
            raise UserError("an envelope is of one network on the same images, or part of them")
        own = left[at] & one.success & (one.distance == measured.distance[at])
        left[at] &= ~own
        counts.append(int(own.sum()))
    return tuple(counts)


def places(part: Outcomes, whole: Outcomes) -> NDArray[np.intp] | None:
    """Return where the images of `part` stand in `whole`; None where one does not, or is another.

    An image is known by its position in the test set and its label.
    """
    if np.array_equal(part.index, whole.index):  # as nearly always
        at = _in_itself(whole.index.tobytes(), whole.index.dtype.str)
        return at if np.array_equal(whole.label[at], part.label) else None
    found = whole.places(part.index)
    return found if found is not None and np.array_equal(whole.label[found], part.label) else None


@lru_cache(maxsize=4)
def _in_itself(content: bytes, kind: str) -> NDArray[np.intp]:
    """Return where each image of an index stands in it, the first time."""
    index = np.frombuffer(content, kind)
    order = np.argsort(index, kind="stable")
    at = order[np.searchsorted(index, index, sorter=order)]
    at.setflags(write=False)
    return at
