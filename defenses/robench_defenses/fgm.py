"""Adversarial training with the fast gradient method (Goodfellow et al., 2015)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError
from robench.gradient import loss_gradient, with_norm


@dataclass
class FGM(Defense):
    """Train on images moved one L2 step of length `eps` up the loss, and on them alone."""

    strength: ClassVar[str | None] = "eps"

    eps: float = 0.1
    """L2 length of the step; Table 3 uses 0.1, Table 2 uses 0.02."""
    through_attack: bool = False
    """Differentiate through the attack as the paper's code did, not as is standard practice."""

    def __post_init__(self) -> None:
        """Refuse a step that goes nowhere."""
        if self.eps <= 0:
            raise UserError(f"eps={self.eps} is not above 0; eps=0 is the defense 'baseline'")

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return x + eps * g / ||g||_2, clipped to [0, 1], with g the loss gradient at x."""
        gradient = loss_gradient(model, x, y, through=self.through_attack)
        return (x + with_norm(gradient, self.eps)).clamp(0, 1)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on the perturbed images ("adv coefficient 1.0")."""
        adversarial = self.perturb(model, x, y)
        self.observe(adversarial - x)
        return F.cross_entropy(model(adversarial), y)
