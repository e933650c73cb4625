"""What of a record can be checked without its network: it must go with itself and with the images.

Each function returns what differs; `robench.verification` reports it.
"""

import numpy as np
from numpy.typing import NDArray

from robench.archive import Archive, Result
from robench.attacking import BOX
from robench.outcomes import LONGER, Outcomes
from robench.panel import Panel
from robench.records import Audit, Evaluation
from robench.samples import Samples

NEAR = 1e-5
"""Share by which a recomputed norm may differ."""


def unlike_runs(found: Archive, result: Result) -> list[bool]:
    """Tell of each network that an evaluation names whether it is not the recorded one.

    The attacked checkpoint, and the black-box source's where that run is there.
    """
    one = result.evaluation
    differing = [weights_of(found, one) != one.weights]
    source = found.source(one.source)
    if source is not None:
        differing.append(source.final.sha256 != one.source_weights)
    return differing


def inconsistent(result: Result) -> NDArray[np.bool_]:
    """Tell which images have outcomes that contradict each other or the attack's radius."""
    outcomes, radius = result.outcomes, result.evaluation.radius
    fooled = outcomes.success & outcomes.correct
    wrong = outcomes.contradictory | (fooled & (outcomes.norm != outcomes.distance))
    if radius is not None:
        wrong |= fooled & (outcomes.distance > _longest(radius))
    return wrong


def other_images(result: Result, shown: Panel) -> list[bool]:
    """Tell whether the images of a record, and their labels, are not those of the data set."""
    labels = shown.y.astype(result.outcomes.label.dtype)
    return [
        shown.hash != result.evaluation.images,
        not np.array_equal(labels, result.outcomes.label),
    ]


def not_as_recorded(
    kept: Samples, outcomes: Outcomes, radius: float | None, shown: Panel | None
) -> NDArray[np.bool_]:
    """Tell which of the images kept contradict the outcomes of the same images.

    Position, label and classes; norm; success, which is to be in the box and the radius and
    classified wrong; and, where `shown` holds the data set's images, every pixel.
    """
    count, at = len(kept), outcomes.places(kept.index)
    if at is None or (shown is not None and kept.image.shape[1:] != shown.x.shape[1:]):
        return np.ones(count, dtype=bool)
    said = outcomes.at(at)
    wrong = (said.label != kept.label) | (said.clean != kept.clean)
    wrong |= said.adversarial != kept.predicted
    moved = (kept.adversarial.astype(np.float64) - kept.image).reshape(count, -1)
    norm = np.sqrt(np.square(moved).sum(axis=1))
    apart = ~np.isclose(norm, said.norm, rtol=NEAR, atol=1e-7, equal_nan=True)
    wrong |= apart & ~np.isnan(said.norm)  # an older robench did not record it
    wrong |= said.correct & (_successes(kept, norm, radius, 1 + NEAR) < said.success)
    wrong |= _successes(kept, norm, radius, 1 - NEAR) > said.success
    if shown is not None:
        wrong |= (kept.image != shown.x[at]).reshape(count, -1).any(axis=1)
    return wrong


def _successes(
    kept: Samples, norm: NDArray[np.float64], radius: float | None, slack: float
) -> NDArray[np.bool_]:
    """Tell what is classified wrong and inside the box and the radius, that times `slack`."""
    pixels = kept.adversarial.reshape(len(kept), -1)
    found = kept.predicted != kept.label
    found &= ((pixels >= -BOX) & (pixels <= 1 + BOX)).all(axis=1)  # false for NaN
    return found if radius is None else found & (norm <= _longest(radius) * slack)


def weights_of(found: Archive, one: Evaluation | Audit) -> str | None:
    """Return what the weights are, by the record of the network that `one` names."""
    if one.run in found.imported:
        return found.imported[one.run].weights
    kept = found.runs[one.run].checkpoints if one.run in found.runs else ()
    return next((own.sha256 for own in kept if own.step == one.step), None)


def _longest(radius: float) -> float:
    return radius * (1 + LONGER)
