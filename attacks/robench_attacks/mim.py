"""The momentum iterative method in L2 (Dong et al., 2018).

Not built on ART's MomentumIterativeMethod: that clips to the box before it projects onto the ball
(here and in the paper's runs: after), lets one underflowing gradient freeze an image for good, and
computes the gradients of all weights in every step.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import ART_BATCH, Attack, Presets
from robench.gradient import within
from robench_attacks.gradient import Logits, loss_direction, unit
from robench_attacks.limits import above_zero, at_least
from robench_attacks.network import Network

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class MIM(Attack):
    """Steps of L2 length `step` along accumulated gradients, inside the ball of radius `eps`."""

    reduced_precision: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"paper": ({},), "standard": ({},)}

    eps: float = 0.5
    """L2 radius on [0, 1] images that the perturbation stays within."""
    step: float = 0.06
    """L2 length of each step."""
    steps: int = 100
    """Number of steps; the last point counts, adversarial or not."""
    decay: float = 1.0
    """Share of the accumulated gradient kept in each step; 0: no momentum."""

    def __post_init__(self) -> None:
        above_zero(self, "eps", "step")
        at_least(self, steps=1, decay=0)

    @property
    def radius(self) -> float:
        """Return `eps`."""
        return self.eps

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return ART's MomentumIterativeMethod in L2."""
        from art.attacks.evasion import MomentumIterativeMethod

        return MomentumIterativeMethod(
            estimator,
            norm=2,
            eps=self.eps,
            eps_step=self.step,
            decay=self.decay,
            max_iter=self.steps,
            batch_size=ART_BATCH,
            verbose=False,
        )

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `mim`."""
        budget = {"eps": self.eps, "step": self.step, "decay": self.decay}
        return mim(network.search, x, y, steps=self.steps, **budget)


def mim(
    logits: Logits, x: Tensor, y: Tensor, *, eps: float, step: float, steps: int, decay: float
) -> Tensor:
    """Return the last of `steps` points, each within `eps` of `x` and in [0, 1].

    m = decay * m + g / mean|g|; point = clip(x + project(point + step * m / |m|_2 - x)).
    `x`: (n, ...) in [0, 1]; `y`: int64 (n,).
    """
    point, momentum = x, torch.zeros_like(x)
    pixels = tuple(range(1, x.dim()))
    for _ in range(steps):
        direction = loss_direction(logits, point, y)
        size = direction.abs().mean(dim=pixels, keepdim=True)
        momentum = decay * momentum + direction / torch.where(size > 0, size, 1)
        point = (x + within(point + step * unit(momentum) - x, eps)).clamp_(0, 1)
    return point
