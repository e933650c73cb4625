"""Do the records keep the rules that make their numbers mean what they say?"""

import math

import numpy as np

from robench.archive import Result
from robench.audit.case import Case
from robench.audit.check import Reading, check, skipped, slack, verdict
from robench.audit.sources import CARLINI
from robench.outcomes import Outcomes

DEVIATIONS = 3


@check(
    "integrity",
    source=CARLINI,
    threshold="at most one image, or a thousandth, outside the box or the radius, or not a number",
    remedy="mend the attack: such images count as failures, which makes the network look robust",
)
def rules(case: Case) -> Reading:
    """Did all attacks return images inside the box and the radius?"""
    if not case.results:
        return skipped("nothing was attacked")
    worst = max(case.results, key=_broken)
    count = _broken(worst)
    allowed = slack(0.001, worst.evaluation.count)
    said = f"{count} images of {worst.evaluation.attack}, the most" if count else "all of them"
    return Reading(verdict(fails=count > allowed, warns=count > 0), said)


@check(
    "integrity",
    source=CARLINI,
    threshold="failures are infinitely far, misclassified images at 0, all else in between",
    remedy="delete the evaluation and run it again: its arrays contradict each other",
)
def distances(case: Case) -> Reading:
    """Does every recorded distance go with what the image was classified as?"""
    wrong = sum(int(one.outcomes.contradictory.sum()) for one in case.results)
    return Reading(verdict(fails=wrong > 0), f"{wrong} contradictions")


@check(
    "integrity",
    source="AttackBench (Cinà et al., 2025)",
    threshold="one set of images for all attacks, or a part of it",
    remedy="evaluate again with one --images and --image-seed",
)
def same_images(case: Case) -> Reading:
    """Were all attacks run on the same images?"""
    if not case.results:
        return skipped("nothing was attacked")
    largest = max(case.results, key=lambda one: one.evaluation.count).outcomes
    known = _labels(largest)
    apart = sum(len(_labels(one.outcomes) - known) for one in case.results)
    said = f"{len(case.results)} evaluations, {apart} images not shared"
    if case.left_out:
        said += f"; on other images, and left out: {', '.join(sorted(set(case.left_out)))}"
    return Reading(verdict(fails=apart > 0, warns=bool(case.left_out)), said)


@check(
    "integrity",
    source="robench; knowing the test images is no defense",
    threshold=f"no more than 2 points and {DEVIATIONS} standard errors above training accuracy",
    remedy="the network, or what is around it, has seen the attacked images: train it without them",
)
def unseen(case: Case) -> Reading:
    """Is the network no better on the attacked images than on those it was trained on?"""
    right, count = case.trained
    there, here = right / count, float(case.correct.mean())
    spread = there * (1 - there)
    error = math.sqrt(spread / count + spread / len(case.panel))
    fails = here - there > max(0.02, DEVIATIONS * error)
    said = f"{here:.3f} of {len(case.panel)} attacked, {there:.3f} of {count} training images"
    return Reading(verdict(fails=fails), said)


def _labels(outcomes: Outcomes) -> set[tuple[int, int]]:
    """Return the images with their labels."""
    return set(zip(outcomes.index.tolist(), outcomes.label.tolist(), strict=True))


def _broken(result: Result) -> int:
    unknown = ~np.isfinite(result.outcomes.norm)
    unknown &= result.outcomes.success  # of a failure, an older robench recorded none
    return result.evaluation.violations + int(unknown.sum())


CHECKS = (rules, distances, same_images, unseen)
