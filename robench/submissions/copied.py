"""Networks and results that are somebody else's under another name."""

from collections.abc import Iterator

import numpy as np

from robench.archive import Archive, Result
from robench.standings import condition
from robench.verification import Finding

FEW = 10
"""Distances that two evaluations have to share before they are compared."""
MOST = 0.5
"""Share of equal distances above which one evaluation is a copy of the other.

A minimal attack finds the same distance to the last digit on two networks for next to no image.
Black-box, one image is shown to both.
"""


def copied(found: Archive, there: Archive) -> Iterator[Finding]:
    """Compare the networks and distances of `found` with those of other runs in `there`."""
    owners = {one.sha256: key for key, run in there.runs.items() for one in run.checkpoints}
    for key, run in sorted(found.runs.items()):
        same = [one for one in run.checkpoints if owners.get(one.sha256, key) != key]
        reason = f"the weights of step {same[0].step} are those of " if same else ""
        reason += owners[same[0].sha256] if same else ""
        yield Finding(key, "networks of others", len(run.checkpoints), len(same), reason)
    yield from _brought(found, there)
    others: dict[object, list[Result]] = {}
    for result in there.results:
        others.setdefault(_made(result), []).append(result)
    for result in found.results:
        name = result.evaluation.key
        rivals = [one for one in others.get(_made(result), []) if _comparable(one, result)]
        same_as = [one.evaluation.key for one in rivals if _copy(one, result)]
        reason = f"its distances are those of {same_as[0]}" if same_as else ""
        if rivals:
            yield Finding(name, "distances of others", len(rivals), len(same_as), reason)


def _brought(found: Archive, there: Archive) -> Iterator[Finding]:
    """Compare the networks that robench did not train: equal values, other names."""
    for key, one in sorted(found.imported.items()):
        rivals = [other for other in there.imported.values() if other.key != key]
        same = [other.key for other in rivals if other.tensors == one.tensors]
        reason = f"its weights are those of {same[0]}" if same else ""
        yield Finding(key, "networks of others", len(rivals), len(same), reason)


def _made(result: Result) -> object:
    """Return what evaluations must share for their distances to be compared."""
    one = result.evaluation
    return condition(one), one.images, one.count


def _comparable(one: Result, other: Result) -> bool:
    """Tell whether a minimal attack saw two networks."""
    both = (one.evaluation, other.evaluation)
    seen = all(record.white_box and record.minimal for record in both)
    return seen and both[0].weights != both[1].weights


def _copy(one: Result, other: Result) -> bool:
    """Tell whether two networks are fooled at the same distances, as none are."""
    pair = one.outcomes, other.outcomes
    fooled = pair[0].success & pair[0].correct & pair[1].success & pair[1].correct
    if fooled.sum() < FEW:
        return False
    equal: np.ndarray = pair[0].distance[fooled] == pair[1].distance[fooled]
    return bool(equal.mean() > MOST)
