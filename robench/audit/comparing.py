"""May the row stand beside the others?"""

from robench.audit.case import Case
from robench.audit.check import Reading, check, skipped, verdict
from robench.imported.record import Imported

IMAGES, SEEDS, HELD_OUT = 1000, 3, 1000
LAST = 0.9
"""Share of its training after which a checkpoint counts as trained to the end."""


@check(
    "comparability",
    source="the paper, Section 4.2",
    threshold=f"within the tolerance on held-out validation images, at least {HELD_OUT:,}",
    remedy=f"hold {HELD_OUT:,} training images out (robench train --validation {HELD_OUT}), if the "
    "data set has them; test images must not choose",
)
def matched(case: Case) -> Reading:
    """Was the checkpoint chosen for its accuracy, on images that are not the test images?"""
    if not case.matches:
        return skipped("no match names the checkpoint")
    off = max(abs(one.accuracy - one.target) for one in case.matches)
    outside = any(one.how == "unmatched" for one in case.matches)
    images = case.subject.trained.spec.validation
    on = f"{images:,} validation images" if images else "TEST images"
    return Reading(
        verdict(fails=outside, warns=images < HELD_OUT), f"off by {off:.4f} at most, on {on}"
    )


@check(
    "comparability",
    source="docs/matching.md, Two ways to an accuracy",
    threshold=f"after {LAST:.0%} of its training, where a strength could be chosen to end there",
    remedy="train a stronger setting that ends at this accuracy (robench match)",
)
def ended(case: Case) -> Reading:
    """Does the checkpoint come from the end of its training?"""
    run = case.subject.run
    if isinstance(run, Imported) or not case.matches:
        return skipped("no match names the checkpoint")
    if run.strength is None:
        return skipped("the defense has no strength to choose")
    epoch, epochs = case.subject.checkpoint.epoch, run.spec.epochs
    said = f"epoch {epoch:.1f} of {epochs}"
    return Reading(verdict(fails=False, warns=epoch < LAST * epochs), said)


@check(
    "comparability",
    source="Carlini et al. (2019), On Evaluating Adversarial Robustness",
    threshold=f"{IMAGES:,} test images for minimal attacks",
    remedy="raise --images; intervals are wide below it",
)
def images(case: Case) -> Reading:
    """Were enough test images attacked?"""
    seen = [one.evaluation for one in case.results]
    counts = [one.count for one in seen if one.minimal and one.white_box]
    if not counts:
        return skipped("no minimal attack was run")
    count = max(counts)
    return Reading(verdict(fails=False, warns=count < IMAGES), f"{count:,} images")


@check(
    "comparability",
    source="Pineau et al. (2021), reproducibility checklist",
    threshold=f"{SEEDS} training seeds of the variant at the same accuracy",
    remedy="train more seeds (robench sweep --set seed=0,1,2): one says nothing of the next",
)
def seeds(case: Case) -> Reading:
    """Were several seeds trained?"""
    if isinstance(case.subject.run, Imported):
        return skipped("robench did not train the network")
    return Reading(verdict(fails=False, warns=case.seeds < SEEDS), f"{case.seeds}")


@check(
    "comparability",
    source="Tramèr et al. (2020), On Adaptive Attacks",
    threshold="an attack made for the defense was run, where one is installed",
    remedy="run it: robench eval --preset strong",
)
def adaptive(case: Case) -> Reading:
    """Was the defense attacked by what was made for it?"""
    ran = sorted({one.evaluation.attack for one in case.results if one.evaluation.adaptive})
    if not case.adapted:
        return skipped("no installed attack was made for this defense")
    return Reading(verdict(fails=False, warns=not ran), ", ".join(ran) or "non-adaptive evaluation")


OF_MATCHES = (matched, ended, seeds)
"""What a match that is new, or gone, can change."""
CHECKS = (matched, ended, images, seeds, adaptive)
