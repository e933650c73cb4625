"""DDN in L2 (Rony et al., 2019): the sphere that is searched shrinks on success, grows on failure.

One departure: points are not rounded to 8 bits.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import Attack, Presets
from robench.gradient import norms
from robench_attacks.boundary import Found
from robench_attacks.gradient import broad, gradient, loss_margin, unit
from robench_attacks.limits import above_zero, at_least
from robench_attacks.network import Network

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier

LAST_STEP = 0.01
"""Share of `step` that the last step is long; between, it falls like a cosine."""


@dataclass(frozen=True)
class DDN(Attack):
    """The smallest L2 perturbation that decoupling its direction from its norm finds."""

    minimal: ClassVar[bool] = True
    reduced_precision: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"strong": ({"steps": 100},)}

    steps: int = 100
    """Number of steps."""
    step: float = 1.0
    """L2 length of the first step along the gradient."""
    norm: float = 1.0
    """Radius of the first sphere."""
    gamma: float = 0.05
    """Share by which the sphere shrinks or grows in each step."""

    def __post_init__(self) -> None:
        above_zero(self, "step", "norm", "gamma")
        at_least(self, steps=1)

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `ddn`."""
        return ddn(network, x, y, self).nearest


def ddn(network: Network, x: Tensor, y: Tensor, budget: DDN) -> Found:
    """Return the nearest misclassified points, of the images themselves and all points tried.

    `x`: (n, ...) in [0, 1]; `y`: int64 (n,).
    """
    found = Found.at(network, x, y)
    moved, radius = torch.zeros_like(x), torch.full_like(found.distance, budget.norm)
    for step in range(budget.steps):
        point = x + moved
        direction, scores = _uphill(network, point, y)
        fooled = found.note(network, point, scores)
        radius *= torch.where(fooled, 1 - budget.gamma, 1 + budget.gamma)
        fall = (1 + math.cos(math.pi * step / budget.steps)) / 2
        moved += budget.step * (LAST_STEP + (1 - LAST_STEP) * fall) * direction
        moved *= broad(radius, x) / norms(moved).clamp_min(1e-12)
        moved = (x + moved).clamp_(0, 1).sub_(x)
    point = x + moved
    found.note(network, point, network.search(point))
    return found


def _uphill(network: Network, point: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the unit gradients of the cross-entropy, see `loss_direction`, and the logits."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        scores = network.search(point)
        margin = loss_margin(scores, y)
    return unit(gradient(margin, point)), scores.detach()
