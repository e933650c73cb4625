"""Is the network what attacks take it for: a fixed function from an image to logits?"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from robench.attacking import predict
from robench.audit.case import Case
from robench.audit.check import Reading, check, skipped, slack, verdict
from robench.audit.sources import CARLINI
from robench.estimator import wrap

AUTOATTACK = "AutoAttack's checks (Croce & Hein, 2020)"
ROUNDING = 1e-4
"""Of the largest output: what other batches and kernels change in float32."""
PASSES = 5


@check(
    "integrity",
    source=CARLINI,
    threshold=f"no output differs by more than {ROUNDING:g} of the largest",
    remedy="normalise inside the network, and leave ART's preprocessing and postprocessing empty",
)
def parity(case: Case) -> Reading:
    """Does the estimator that attacks see give the network's own outputs?"""
    run = case.subject.run
    estimator = wrap(case.subject.network, run.shape, run.classes)
    seen = torch.from_numpy(estimator.predict(case.panel.x, batch_size=len(case.panel)))
    off = _difference(seen.to(case.device), case.scores)
    return Reading(
        verdict(fails=not off <= ROUNDING), f"outputs differ by {off:.1e} of the largest"
    )


@check(
    "integrity",
    source=AUTOATTACK,
    threshold="not all outputs in [0, 1] with rows that sum to 1",
    remedy="return logits: a softmax at the end flattens the gradients that attacks follow",
)
def logits(case: Case) -> Reading:
    """Does the network return logits, and no probabilities?"""
    scores = case.scores
    if not bool(torch.isfinite(scores).all()):
        return Reading("fail", "outputs are not finite")
    positive = bool((scores >= 0).all()) and bool((scores <= 1).all())
    sums = bool(((scores.sum(dim=1) - 1).abs() <= 1e-5).all())
    low, high = float(scores.min()), float(scores.max())
    return Reading(verdict(fails=positive and sums), f"outputs from {low:.3g} to {high:.3g}")


@check(
    "integrity",
    source=AUTOATTACK,
    threshold=f"{PASSES} passes agree to {ROUNDING:g} of the largest output",
    remedy="switch dropout and noise off, or attack the expectation over them; robench ranks no "
    "randomised network",
)
def determinism(case: Case) -> Reading:
    """Does the network give the same outputs for the same images every time?"""
    off = max(_difference(case.logits(case.x), case.scores) for _ in range(PASSES - 1))
    return Reading(
        verdict(fails=not off <= ROUNDING), f"passes differ by {off:.1e} of the largest output"
    )


@check(
    "integrity",
    source=CARLINI,
    threshold=f"an image's outputs change by at most {ROUNDING:g} of the largest",
    remedy="call eval() on the network: batch statistics make images depend on their neighbours",
)
def batching(case: Case) -> Reading:
    """Does an image's output not depend on the others in its batch?"""
    some = case.x[: min(len(case.x), 16)]
    alone = torch.cat([case.logits(image) for image in some.split(1)])
    off = _difference(alone, case.scores[: len(some)])
    return Reading(
        verdict(fails=not off <= ROUNDING), f"alone or in a batch: {off:.1e} of the largest output"
    )


@check(
    "integrity",
    source=AUTOATTACK,
    threshold="no gradient is computed inside the network's forward pass",
    remedy="attack the whole procedure adaptively; gradients through an optimisation at test time "
    "are not those of its outcome",
)
def dynamic(case: Case) -> Reading:
    """Does the network predict without computing gradients, as optimising at test time would?"""
    with _counted_gradients() as calls, torch.enable_grad():
        case.subject.network(case.x[:4])
    return Reading(verdict(fails=bool(calls)), f"{len(calls)} gradients computed in one pass")


@check(
    "integrity",
    source=CARLINI,
    threshold="the same classes as recorded, up to 0.1 % of the images",
    remedy="evaluate again: the records are of another network, device or version",
)
def untouched(case: Case) -> Reading:
    """Does the network classify the untouched images as every record of it says?"""
    if not case.results:
        return skipped("nothing was attacked")
    now = dict(
        zip(case.panel.index.tolist(), predict(case.subject.network, case.panel.x), strict=True)
    )
    worst = 0
    for one in case.results:
        recorded = zip(one.outcomes.index.tolist(), one.outcomes.clean.tolist(), strict=True)
        worst = max(worst, sum(now[index] != said for index, said in recorded if index in now))
    return Reading(
        verdict(fails=worst > slack(0.001, len(case.panel))),
        f"{worst} of {len(case.panel)} images classified otherwise",
    )


def _difference(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of outputs, as a share of the largest output."""
    largest = other.abs().max().clamp_min(1e-12)
    return float((one - other).abs().max() / largest)


@contextmanager
def _counted_gradients() -> Iterator[list[str]]:
    """Note each call of autograd made inside."""
    calls: list[str] = []
    kept = copy.copy(vars(torch.autograd))

    def counted(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return kept[name](*args, **kwargs)

        return call

    try:
        for name in ("grad", "backward"):
            setattr(torch.autograd, name, counted(name))
        yield calls
    finally:
        for name in ("grad", "backward"):
            setattr(torch.autograd, name, kept[name])


CHECKS = (parity, logits, determinism, batching, dynamic, untouched)
