"""Did the attacks do what attacks can do?"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robench import metrics
from robench.archive import Result
from robench.audit.case import Case
from robench.audit.check import HALF, Reading, check, percent, skipped, slack, verdict
from robench.audit.sources import CARLINI
from robench.outcomes import LONGER, Outcomes

SOME, MANY = 0.02, 0.05
"""Honest networks on digits gain up to 2 points by four more starts."""
SHORTER, FAR_SHORTER = 0.02, 0.10
"""Of the mean distance, what a longer search may take off; more warns, far more fails."""
TRIED = 64
"""Correctly classified images that a longer search is tried on."""
STARTS = 5
OPTIMAL = 0.95
AGREEING = 0.05


@check(
    "strength",
    source=CARLINI,
    threshold="iterative at most 0.5 points above; at most 2 % fooled by the single step alone",
    remedy="the iterative attack is broken or misled by its gradients: check it on an undefended "
    "network, then attack without gradients",
)
def iteration(case: Case) -> Reading:
    """Does an iterative attack fool at least as many images as a single step of the same length?"""
    single, iterative = case.attacked("single_step"), case.attacked("iterative")
    gap = int((~iterative.success).sum()) - int((~single.success).sum())
    alone = int((single.success & ~iterative.success).sum())
    count = len(case.panel)
    fails = gap > slack(HALF, count) or alone > slack(SOME, count)
    return Reading(
        verdict(fails=fails),
        f"accuracy {_left(iterative)}, single step {_left(single)}, {alone} fooled by it alone",
    )


@check(
    "strength",
    source=CARLINI,
    threshold="accuracy falls as the radius doubles, up to 0.5 points",
    remedy="an attack that does worse with more room does not converge: more steps, other steps",
)
def monotone(case: Case) -> Reading:
    """Does accuracy fall as the attack may go farther?"""
    radii = [case.radius * factor for factor in (0.5, 1, 2)]
    left = [int((~case.attacked("iterative", radius=radius).success).sum()) for radius in radii]
    rise = max(after - before for before, after in pairwise(left))
    shown = ", ".join(
        f"{number / len(case.panel):.3f} at {radius:g}"
        for number, radius in zip(left, radii, strict=True)
    )
    return Reading(verdict(fails=rise > slack(HALF, len(case.panel))), shown)


@check(
    "strength",
    source=CARLINI,
    threshold="accuracy at most 1 / classes + 2 points",
    remedy="an attack that may turn any image grey must succeed: the network hides its gradients, "
    "or the attack is broken",
)
def unbounded(case: Case) -> Reading:
    """Does an attack that may go anywhere bring accuracy down to chance?"""
    dimensions = case.panel.x[0].size
    radius = float(np.sqrt(dimensions)) / 2  # from any image to grey
    outcomes = case.attacked("iterative", radius=radius)
    chance = 1 / case.subject.run.classes + 0.02
    return Reading(
        verdict(fails=metrics.accuracy(outcomes).value > chance),
        f"accuracy {_left(outcomes)} at radius {radius:.1f}",
    )


@check(
    "strength",
    source=CARLINI,
    threshold=f"{metrics.SUFFICIENT:.1%} of the correct images",
    remedy="run a minimal attack with more steps: robench eval --preset strong",
)
def success(case: Case) -> Reading:
    """Does every correctly classified image have an adversarial one, by some attack?"""
    if not any(one.evaluation.minimal for one in case.results):
        return skipped("no minimal attack was run")
    rate = metrics.success_rate(case.envelope).value
    return Reading(verdict(fails=rate < metrics.SUFFICIENT), f"{percent(rate)} fooled")


@check(
    "strength",
    source=CARLINI + "; IoAF (Pintor et al., 2022)",
    threshold=f"the mean distance falls by at most {SHORTER:.0%}; by more than {FAR_SHORTER:.0%} "
    "fails",
    remedy="the attacks stopped too early: robench eval --preset standard, or strong",
)
def converged(case: Case) -> Reading:
    """Does a longer search than any recorded one find nothing much nearer?"""
    if not any(one.evaluation.minimal for one in case.results):
        return skipped("no minimal attack was run")
    places = np.flatnonzero(case.correct & case.envelope.success)[:TRIED]
    if not len(places):
        return skipped("no correctly classified image was fooled")
    before = case.envelope.distance[places].astype(float)
    longer = case.attacked("longer", places).distance.astype(float)
    shorter = 1 - np.minimum(before, longer).mean() / before.mean()
    return Reading(
        verdict(fails=shorter > FAR_SHORTER, warns=shorter > SHORTER),
        f"mean distance of {len(places)} images falls by {percent(shorter)}",
    )


@check(
    "strength",
    source=CARLINI,
    threshold="accuracy falls by at most 2 points; by more than 5 points fails",
    remedy="raise the number of restarts or of steps of the fixed-budget attacks",
)
def restarts(case: Case) -> Reading:
    """Do five random starts fool hardly more images than one?"""
    count = len(case.panel)
    left = np.flatnonzero(~case.attacked("iterative").success)
    if not len(left):
        return skipped("the first start fools every image")
    again = np.tile(left, STARTS - 1)  # each copy draws its own start
    tries = case.attacked("iterative", again).success.reshape(STARTS - 1, len(left))
    gained = int(tries.any(axis=0).sum())
    fails, warns = gained > slack(MANY, count), gained > slack(SOME, count)
    return Reading(verdict(fails=fails, warns=warns), f"{gained} more of {count} fooled")


@check(
    "strength",
    source="AttackBench (Cinà et al., 2025)",
    threshold=f"optimality of the best minimal attack at least {OPTIMAL}",
    remedy="the ranking stands on the minimum over attacks; of the single columns, none is near it",
)
def optimality(case: Case) -> Reading:
    """Is the best minimal attack, taken alone, near the minimum over all attacks?"""
    whole = _minimal(case)
    if not whole:
        return skipped("no minimal attack was run")
    best = max(whole, key=lambda one: _optimality(one.outcomes, case))
    value = _optimality(best.outcomes, case)
    return Reading(
        verdict(fails=False, warns=value < OPTIMAL), f"{value:.3f} ({best.evaluation.attack})"
    )


@check(
    "strength",
    source="Tramèr et al. (2020), On Adaptive Attacks; C&W beside a second implementation",
    threshold="medians of the two nearest minimal attacks, on the same images, within "
    f"{AGREEING:.0%}",
    remedy="the nearest distances rest on one attack: run others as strong (robench eval --preset "
    "strong); ranks are by the minimum",
)
def second_opinion(case: Case) -> Reading:
    """Do two independent minimal attacks agree on how far the boundary is?"""
    medians: dict[str, float] = {}
    for one in _minimal(case):
        name, value = one.evaluation.attack, _median(one.outcomes)
        if np.isfinite(value):
            medians[name] = min(value, medians.get(name, np.inf))  # of several settings the nearer
    if len(medians) < 2:
        return Reading("warn", f"{len(medians)} minimal attack was run")
    near, far = sorted(medians, key=lambda name: medians[name])[:2]
    off = medians[far] / medians[near] - 1
    said = f"{far} {percent(off)} farther than {near}, in the median"
    return Reading(verdict(fails=False, warns=off > AGREEING), said)


@check(
    "strength",
    source=CARLINI,
    threshold="at each radius, at most 1 point more accuracy left by the best minimal attack",
    remedy="the minimal attacks are the weaker ones here; the minimum over all attacks ranks",
)
def budgets(case: Case) -> Reading:
    """Do minimal attacks find what attacks of fixed budget find at their radius?"""
    white = [one for one in case.results if one.evaluation.white_box]
    minimal = [one.outcomes for one in white if one.evaluation.minimal]
    fixed = [one for one in white if one.evaluation.radius is not None]
    if not (minimal and fixed):
        return skipped("needs a minimal attack and one of fixed budget")
    gaps = {one.evaluation.attack: _missed(one, minimal) for one in fixed}
    name = max(gaps, key=lambda attack: gaps[attack])
    return Reading(
        verdict(fails=False, warns=gaps[name] > 0.01),
        f"{name} fools {percent(max(gaps[name], 0))} more than they do",
    )


def _missed(fixed: Result, minimal: list[Outcomes]) -> float:
    """Return by how much accuracy at the radius is lower than the minimal attacks together say."""
    radius = fixed.evaluation.radius or 0.0
    own = fixed.outcomes
    near = {int(i) for one in minimal for i in one.index[one.distance <= radius * (1 + LONGER)]}
    return (int(own.success.sum()) - len(near.intersection(own.index.tolist()))) / len(own.label)


def _minimal(case: Case) -> list[Result]:
    """Return the minimal white-box attacks that were run on the most images."""
    found = [one for one in case.results if one.evaluation.minimal and one.evaluation.white_box]
    most = max((one.evaluation.count for one in found), default=0)
    return [one for one in found if one.evaluation.count == most]


def _optimality(outcomes: Outcomes, case: Case) -> float:
    """Return 1 less the area between two accuracy-norm curves, over that above the lower one."""
    kept = np.isin(outcomes.index, case.panel.index) & outcomes.correct
    best = case.envelope.distance[case.envelope.correct].astype(float)
    far = best[np.isfinite(best)].max(initial=0.0)
    if not kept.any() or far == 0:
        return 1.0
    own = np.minimum(outcomes.distance[kept].astype(float), far)
    area, least = own.sum(), np.minimum(best, far).sum()
    return float(1 - (area - least) / max(len(best) * far - least, 1e-12))


def _median(outcomes: Outcomes) -> float:
    found: NDArray[np.float32] = outcomes.distance[outcomes.correct]
    return float(np.median(found)) if len(found) else float("nan")


def _left(outcomes: Outcomes) -> str:
    return f"{metrics.accuracy(outcomes).value:.3f}"


CHECKS = (
    *(iteration, monotone, unbounded, success, converged, restarts),
    *(optimality, second_opinion, budgets),
)
