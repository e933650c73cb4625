"""The fast gradient method in L2 (Goodfellow et al., 2015): one step of length `eps`.

Not built on ART's FastGradientMethod: that takes the gradient of the batch's mean cross-entropy,
which underflows on confident networks (their images then are not moved at all), and computes the
gradients of all weights on the way. Where nothing underflows the two agree.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from robench.attack import ART_BATCH, Attack, Presets
from robench_attacks.gradient import Logits, loss_direction
from robench_attacks.limits import above_zero
from robench_attacks.network import Network

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class FGM(Attack):
    """One step of L2 length `eps` up the cross-entropy of the true label, clipped to the box."""

    reduced_precision: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"paper": ({},), "standard": ({},)}

    eps: float = 0.5
    """L2 length of the step on [0, 1] images."""

    def __post_init__(self) -> None:
        above_zero(self, "eps")

    @property
    def radius(self) -> float:
        """Return `eps`."""
        return self.eps

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return ART's FastGradientMethod in L2."""
        from art.attacks.evasion import FastGradientMethod

        return FastGradientMethod(estimator, norm=2, eps=self.eps, batch_size=ART_BATCH)

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `fgm`."""
        return fgm(network.search, x, y, eps=self.eps)


def fgm(logits: Logits, x: Tensor, y: Tensor, *, eps: float) -> Tensor:
    """Return clip(x + eps * g / |g|_2), g the gradient of the cross-entropy.

    `x`: (n, ...) in [0, 1]; `y`: int64 (n,). An image of zero gradient comes back as it is.
    """
    return (x + eps * loss_direction(logits, x, y)).clamp(0, 1)
