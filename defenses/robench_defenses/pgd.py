"""Adversarial training with projected gradient descent (Madry et al., 2018)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError
from robench.gradient import loss_gradient, uniform_in_ball
from robench_defenses.ascent import ascended


@dataclass
class PGD(Defense):
    """Train on images moved by projected L2 steps from a random start in the `eps`-ball."""

    strength: ClassVar[str | None] = "eps"

    eps: float = 0.1
    """L2 radius of the ball; Table 3 uses 0.1, Table 2 uses 0.02."""
    steps: int = 10
    """Steps of eps / 6 each (Table 1: 10)."""
    through_attack: bool = False
    """Differentiate through the attack as the paper's code did, not as is standard practice."""

    def __post_init__(self) -> None:
        """Refuse an attack that goes nowhere."""
        if self.eps <= 0:
            raise UserError(f"eps={self.eps} is not above 0; eps=0 is the defense 'baseline'")
        if self.steps < 1:
            raise UserError(f"steps={self.steps} is not at least 1")

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the last of `steps` iterates, inside the ball and [0, 1]."""

        def slope(images: Tensor) -> Tensor:
            return loss_gradient(model, images, y, through=self.through_attack)

        start = (x + uniform_in_ball(x, self.eps)).clamp(0, 1)
        return ascended(x, start, slope, steps=self.steps, length=self.eps / 6, eps=self.eps)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on the perturbed images ("adv coefficient 1.0")."""
        adversarial = self.perturb(model, x, y)
        self.observe(adversarial - x)
        return F.cross_entropy(model(adversarial), y)
