"""DeepFool in L2 (Moosavi-Dezfooli et al., 2016): Newton-like steps to the nearest boundary.

Not built on ART's DeepFool: that computes the gradients of all classes whatever the number of
candidates, goes through numpy in every step, and its points often stop on the boundary itself.
As its authors do, the overshoot is applied in every step, so that a point is done only when what
is returned fools the network; as the paper ran it, rivals are ranked anew in every step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import Attack
from robench.gradient import norms
from robench.records import Setting
from robench_attacks.gradient import Logits, gradient, own_and_others
from robench_attacks.limits import at_least

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier

PAST_BOUNDARY = 1e-5
"""Added to the logit gap to close, so that a step does not end on the boundary itself."""


@dataclass(frozen=True)
class DeepFool(Attack):
    """The smallest L2 perturbation that repeated linearisation finds; labels are not used."""

    minimal: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, Setting]]] = {"paper": {}}

    steps: int = 100
    """Most steps an image gets; one that is fooled earlier stops there."""
    candidates: int = 10
    """Classes considered in each step, the predicted one included: those of highest logits."""
    overshoot: float = 0.02
    """Share by which the perturbation is longer than the linearised distance."""

    def __post_init__(self) -> None:
        at_least(self, steps=1, candidates=2, overshoot=0)

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def perturb(self, logits: Logits, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `deepfool`."""
        return deepfool(
            logits, x, steps=self.steps, candidates=self.candidates, overshoot=self.overshoot
        )


def deepfool(logits: Logits, x: Tensor, *, steps: int, candidates: int, overshoot: float) -> Tensor:
    """Return images that the network predicts otherwise than `x`, or the last point tried.

    `x`: (n, ...) in [0, 1], the result too. Images already fooled cost nothing more.
    """
    result = x.clone()
    with torch.no_grad():
        rows = torch.arange(len(x), device=x.device)
        predicted, total = logits(x).argmax(dim=1), torch.zeros_like(x)
        for _ in range(steps):
            total = total + _step(logits, result[rows], predicted, candidates)
            point = (x[rows] + (1 + overshoot) * total).clamp(0, 1)
            result[rows] = point
            standing = logits(point).argmax(dim=1) == predicted
            rows, predicted, total = rows[standing], predicted[standing], total[standing]
            if len(rows) == 0:
                break
    return result


def _step(logits: Logits, x: Tensor, predicted: Tensor, candidates: int) -> Tensor:
    """Return the shortest way to a rival's boundary, the network taken as linear around `x`."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        own, others = own_and_others(logits(x), predicted)
        rivals = min(candidates, others.shape[1]) - 1
        gaps = (own.unsqueeze(1) - others.topk(rivals, dim=1).values).unbind(dim=1)
    shortest, direction = x.new_full((len(x),), torch.inf), torch.zeros_like(x)
    broad = (-1, *[1] * (x.dim() - 1))
    for gap in gaps:
        slope = -gradient(gap, x, again=gap is not gaps[-1])
        steepness = norms(slope).flatten()
        distance = (gap.detach().abs() + PAST_BOUNDARY) / steepness
        nearer = distance < shortest  # false for infinity: a rival without a gradient
        shortest = torch.where(nearer, distance, shortest)
        direction = torch.where(nearer.view(broad), slope / steepness.view(broad), direction)
    diagonal = x[0].numel() ** 0.5  # no way inside the box is longer
    return direction * shortest.clamp_max(diagonal).view(broad)
