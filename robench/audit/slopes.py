"""Do gradients say how the network's outputs change?"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from robench.audit.case import Case, directions
from robench.audit.check import Reading, check, percent, skipped, slack, verdict
from robench.audit.sources import ATHALYE
from robench.gradient import frozen, norms, with_norm

ZEROS = 0.001
"""Share of the images whose gradient may vanish."""
AGREE = 0.95
IMAGES, DIRECTIONS = 64, 8
STEP = 2e-3
"""Length of a finite difference: short beside kinks, long beside float32's rounding."""
AUTOATTACK = "AutoAttack's zero-gradient check (Croce & Hein, 2020)"


@check(
    "integrity",
    source=f"{ATHALYE}; {AUTOATTACK}",
    threshold="none, or a thousandth of the correct images, zero or not finite",
    remedy="replace what has no derivative by its identity in the backward pass (BPDA), or attack "
    "without gradients and report that alone",
)
def gradients(case: Case) -> Reading:
    """Is the gradient of every image's margin finite and not zero?"""
    return _vanishing(case, _margin)


@check(
    "integrity",
    source="Carlini & Wagner (2016), Defensive Distillation is Not Robust; " + AUTOATTACK,
    threshold="none, or a thousandth of the correct images, zero in float32",
    remedy="scale the logits down, which changes no prediction: attacks that follow the "
    "cross-entropy stand still",
)
def saturation(case: Case) -> Reading:
    """Is the gradient of every image's cross-entropy not zero, as of logits far too large?"""
    return _vanishing(case, _cross_entropy)


@check(
    "integrity",
    source=ATHALYE,
    threshold=f"{AGREE:.0%} of {IMAGES} images x {DIRECTIONS} directions do as the gradient says",
    remedy="the backward pass is not that of the forward pass: attack without it, or mend it",
)
def slopes(case: Case) -> Reading:
    """Do the outputs change, in small steps, in the direction that the gradient says?"""
    x, y = case.x[:IMAGES], case.y[:IMAGES]
    slope = _slope(case, _margin, x, y)
    known = norms(slope).flatten() > 0
    if not bool(known.any()):
        return Reading("fail", "no image has a gradient")
    x, y, slope = x[known], y[known], slope[known]
    agreeing = [_agreeing(case, x, y, slope, number) for number in range(DIRECTIONS)]
    share = float(torch.cat(agreeing).float().mean())
    return Reading(verdict(fails=share < AGREE), f"{percent(share)} agree")


def _agreeing(case: Case, x: Tensor, y: Tensor, slope: Tensor, number: int) -> Tensor:
    """Tell for each image whether a step along one direction does what the gradient says.

    Every other direction leans towards the gradient, which random ones hardly have a part of.
    """
    generator = torch.Generator().manual_seed(number)
    direction = directions(x, generator)
    if number % 2:
        direction = with_norm(direction + with_norm(slope, 1.0), 1.0)
    expected = (slope * direction).flatten(1).sum(dim=1)
    ahead = _margin(case.logits(x + STEP * direction), y)
    behind = _margin(case.logits(x - STEP * direction), y)
    return (ahead - behind) * expected > 0


def _vanishing(case: Case, value: Callable[[Tensor, Tensor], Tensor]) -> Reading:
    """Return the share of the correctly classified images without a usable gradient."""
    right = torch.from_numpy(case.correct).to(case.device)
    x, y = case.x[right], case.y[right]
    if not len(x):
        return skipped("no image is classified correctly")
    slope = _slope(case, value, x, y)
    size = norms(slope).flatten()
    useless = int((~(torch.isfinite(size) & (size > 0))).sum())
    said = f"{useless} of {len(x)} gradients zero or not finite"
    return Reading(verdict(fails=useless > slack(ZEROS, len(x)), warns=useless > 0), said)


def _slope(case: Case, value: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    with torch.enable_grad(), frozen(case.subject.network):
        images = x.detach().clone().requires_grad_()
        scores = case.subject.network(images).float()
        if not scores.requires_grad:
            return torch.zeros_like(x)
        (slope,) = torch.autograd.grad(value(scores, y).sum(), images, allow_unused=True)
    return torch.zeros_like(x) if slope is None else slope.contiguous()


def _margin(scores: Tensor, y: Tensor) -> Tensor:
    """Return by how much the best other output leads the label's, (n,)."""
    at_label = y[:, None]
    others = scores.scatter(1, at_label, -torch.inf).amax(dim=1)
    return others - scores.gather(1, at_label)[:, 0]


def _cross_entropy(scores: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(scores, y, reduction="none")


CHECKS = (gradients, saturation, slopes)
