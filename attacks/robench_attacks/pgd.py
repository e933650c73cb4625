"""Projected gradient descent in L2 (Madry et al., 2018), as the paper trains with it (Table 1).

Steps of a fixed share of the radius along each image's normalised gradient, from a random start;
the point is projected onto the ball and then clipped to the box, as in `mim`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from robench.attack import ART_BATCH, Attack
from robench.gradient import uniform_in_ball, within
from robench_attacks.gradient import Logits, loss_direction
from robench_attacks.limits import above_zero, at_least
from robench_attacks.network import Network

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class PGD(Attack):
    """Steps up the cross-entropy of the true label, inside the ball of radius `eps`."""

    reduced_precision: ClassVar[bool] = True
    eps: float = 0.5
    """L2 radius on [0, 1] images that the perturbation stays within."""
    steps: int = 10
    """Number of steps; the last point counts, adversarial or not."""
    step_share: float = 1 / 6
    """L2 length of each step as a share of `eps`."""

    def __post_init__(self) -> None:
        above_zero(self, "eps", "step_share")
        at_least(self, steps=1)

    @property
    def radius(self) -> float:
        """Return `eps`."""
        return self.eps

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return ART's ProjectedGradientDescent in L2, from one random start."""
        from art.attacks.evasion import ProjectedGradientDescent

        return ProjectedGradientDescent(
            estimator,
            norm=2,
            eps=self.eps,
            eps_step=self.step_share * self.eps,
            max_iter=self.steps,
            num_random_init=1,
            batch_size=ART_BATCH,
            verbose=False,
        )

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `pgd`."""
        return pgd(
            network.search, x, y, eps=self.eps, steps=self.steps, step=self.step_share * self.eps
        )


def pgd(logits: Logits, x: Tensor, y: Tensor, *, eps: float, steps: int, step: float) -> Tensor:
    """Return the last of `steps` points, each within `eps` of `x` and in [0, 1].

    point = clip(x + project(point + step * g / |g|_2 - x)), from a point drawn uniformly in the
    ball with torch's global generator. `x`: (n, ...) in [0, 1]; `y`: int64 (n,).
    """
    point = (x + uniform_in_ball(x, eps)).clamp(0, 1)
    for _ in range(steps):
        moved = point + step * loss_direction(logits, point, y) - x
        point = (x + within(moved, eps)).clamp(0, 1)
    return point
