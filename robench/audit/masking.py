"""Does the network hide where it can be fooled, without being harder to fool?"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from robench import metrics
from robench.archive import Result
from robench.audit.case import Case, directions
from robench.audit.check import HALF, Reading, check, percent, skipped, slack, verdict
from robench.audit.sources import ATHALYE
from robench.envelope import places
from robench.outcomes import LONGER, Outcomes
from robench.standings import condition

DIRECTIONS = 100
TRIED = 64
"""Images, still classified correctly under all attacks, that other means are tried on."""
BY_LABELS, FARTHER = 16, 0.95
LEAK = 0.30
"""Accuracy by which a single step may fall behind an iterative attack: honest networks on digits
came to 0.21; of a network that has learned the single step the iterative attack leaves nearly
nothing (Wong et al., 2020)."""
VERDICTS = ("skipped", "pass", "warn", "fail")
"""From the best to the worst."""
NEAR = 1e-3
UNSTABLE = 0.10


@check(
    "masking",
    source="Kurakin et al. (2017), label leaking; Wong et al. (2020), catastrophic overfitting",
    threshold="single-step accuracy not above the benign one, nor 30 points above the iterative",
    remedy="the network has learned the single step, not to resist: rank it by other attacks, and "
    "train it with random starts or several steps",
)
def leak(case: Case) -> Reading:
    """Does a single step not help the network, nor fail where an iterative attack succeeds?"""
    single, iterative = _right(case.attacked("single_step")), _right(case.attacked("iterative"))
    benign = float(case.correct.mean())
    above = single - benign > slack(HALF, len(case.panel)) / len(case.panel)
    return Reading(
        verdict(fails=above or single - iterative > LEAK),
        f"benign {benign:.3f}, single step {single:.3f}, iterative {iterative:.3f}",
    )


@check(
    "masking",
    source=ATHALYE,
    threshold="transfer leaves at most 0.5 points less accuracy, and fools at most 2 % alone",
    remedy="the white-box attacks miss what images of another network find: gradients are masked",
)
def transfer(case: Case) -> Reading:
    """Do attacks that see the network fool more than images made on another one?"""
    white = [one for one in case.results if one.evaluation.white_box]
    same = {condition(one.evaluation): one for one in white}
    fixed = [
        (one, seen)
        for one in case.results
        if not one.evaluation.white_box
        and one.evaluation.radius is not None
        and (seen := same.get(condition(one.evaluation)))
    ]
    if not fixed:
        return skipped("no attack of fixed budget was run white-box and black-box")
    fixed.sort(key=lambda pair: -_ahead(*pair))
    found = [_transferred(*pair, white) for pair in fixed]
    return max(found, key=lambda one: VERDICTS.index(one.verdict))


@check(
    "masking",
    source="AutoAttack's Square check (Croce & Hein, 2020)",
    threshold="at most 0.2 % of the probed images, or one",
    remedy="scores find what gradients miss: gradients are masked",
)
def scores(case: Case) -> Reading:
    """Does a random search by scores find hardly anything that the attacks have missed?"""
    places = _resisting(case)
    if not len(places):
        return skipped("no image resists all attacks at the radius")
    found = int(case.attacked("scores", places).success.sum())
    said = f"{found} of {len(places)} images that resisted at {case.radius:g}"
    return Reading(verdict(fails=found > slack(0.002, len(case.panel))), said)


@check(
    "masking",
    source="Chen et al. (2020), HopSkipJump",
    threshold=f"its median distance at least {FARTHER} of that of all recorded attacks",
    remedy="labels find what gradients miss: gradients are masked",
)
def labels(case: Case) -> Reading:
    """Does a search that sees labels alone stay farther away than the attacks?"""
    if not any(one.evaluation.minimal for one in case.results):
        return skipped("no minimal attack was run")  # the nearest distance is that of no search
    places = np.flatnonzero(case.correct)[:BY_LABELS]
    if not len(places):
        return skipped("no image is classified correctly")
    found = case.attacked("labels", places).distance
    by_labels = float(np.median(found))
    by_all = float(np.median(case.envelope.distance[places]))
    said = f"median {by_labels:.3f} by labels, {by_all:.3f} by the attacks, {len(places)} images"
    return Reading(verdict(fails=by_labels < FARTHER * by_all), said)


@check(
    "masking",
    source=ATHALYE,
    threshold="at most 0.1 % of the probed images, or one",
    remedy="chance finds what gradients miss: gradients are masked",
)
def random_directions(case: Case) -> Reading:
    """Do random directions of the same length find hardly anything that the attacks have missed?"""
    places = _resisting(case)
    if not len(places):
        return skipped("no image resists all attacks at the radius")
    fooled = _at_random(case, places)
    said = f"{fooled} of {len(places)} images fooled by one of {DIRECTIONS} directions"
    return Reading(verdict(fails=fooled > slack(0.001, len(case.panel))), said)


@check(
    "masking",
    source="IoAF (Pintor et al., 2022), unstable predictions",
    threshold=f"a step of {NEAR:g} in a random direction changes the loss by under {UNSTABLE:.0%}",
    remedy="the loss is rough on a scale that no gradient sees: smooth it, or attack by scores",
)
def unstable(case: Case) -> Reading:
    """Does the loss hardly change within a tiny ball around an image?"""
    generator = torch.Generator().manual_seed(0)
    moved = case.logits(case.x + NEAR * directions(case.x, generator))
    before = torch.nn.functional.cross_entropy(case.scores, case.y, reduction="none")
    after = torch.nn.functional.cross_entropy(moved, case.y, reduction="none")
    change = ((after - before).abs() / before.abs().clamp_min(1e-3)).clamp_max(1).mean()
    return Reading(
        verdict(fails=False, warns=not float(change) < UNSTABLE),
        f"loss changes by {percent(float(change))} on average",
    )


def _right(outcomes: Outcomes) -> float:
    """Return the share of images classified right after an attack, those that it mended too."""
    return float((outcomes.adversarial == outcomes.label).mean())


def _missed(black: Result, white: Sequence[Result]) -> int:
    """Return how many images transfer fools and no white-box attack does within its radius."""
    reach = (black.evaluation.radius or 0) * (1 + LONGER)
    left = black.outcomes.success.copy()
    for one in white:
        near = one.outcomes.success & (one.outcomes.distance <= reach)
        if (at := places(black.outcomes, one.outcomes)) is not None:
            left &= ~near[at]
        elif (at := places(one.outcomes, black.outcomes)) is not None:
            left[at] &= ~near
    return int(left.sum())


def _transferred(black: Result, own: Result, white: Sequence[Result]) -> Reading:
    """Compare what transfer fools with what the same attack does that sees the network, and all.

    An image that one attack misses and another finds costs no rank, as the nearest error counts.
    """
    few, many = (slack(share, black.evaluation.count) for share in (HALF, 0.02))
    missed, alone = _missed(black, [own]), _missed(black, white)
    right, seen = (metrics.accuracy(one.outcomes).value for one in (black, own))
    return Reading(
        verdict(fails=_ahead(black, own) > few or alone > many, warns=missed > many),
        f"{black.evaluation.attack}: accuracy {right:.3f} by transfer, {seen:.3f} white-box, "
        f"which misses {missed} of those, {alone} fooled by transfer alone",
    )


def _ahead(black: Result, white: Result) -> int:
    """Return how many more images transfer fools than the attack that sees the network."""
    return int(black.outcomes.success.sum()) - int(white.outcomes.success.sum())


def _resisting(case: Case) -> NDArray[np.intp]:
    """Return the first images that no recorded attack fools within the radius."""
    near = case.envelope.distance <= case.radius * (1 + LONGER)
    return np.flatnonzero(case.correct & ~near)[:TRIED]


def _at_random(case: Case, places: NDArray[np.intp]) -> int:
    """Return how many of the images some random perturbation of the radius' length fools."""
    generator = torch.Generator().manual_seed(0)
    x, y = case.x[places], case.y[places]
    fooled = torch.zeros(len(places), dtype=torch.bool, device=case.device)
    for _ in range(DIRECTIONS):
        moved = (x + case.radius * directions(x, generator)).clamp(0, 1)
        fooled |= case.logits(moved).argmax(dim=1) != y
    return int(fooled.sum())


CHECKS = (leak, transfer, scores, labels, random_directions, unstable)
