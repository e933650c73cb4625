"""Fast adversarial training: one step from a random start (Wong et al., 2020)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError
from robench.gradient import loss_gradient, uniform_in_ball
from robench_defenses.ascent import ascended


@dataclass
class FastAT(Defense):
    """Train on images moved one L2 step up the loss from a random start in the `eps`-ball."""

    strength: ClassVar[str | None] = "eps"

    eps: float = 0.1
    """L2 radius of the ball."""
    step: float = 1.25
    """Length of the step, in `eps` (the paper: 1.25)."""
    start: float = 1.0
    """Radius of the ball that the start is uniform in, in `eps`; 0 starts at the image."""

    def __post_init__(self) -> None:
        """Refuse a step that goes nowhere."""
        if self.eps <= 0:
            raise UserError(f"eps={self.eps} is not above 0; eps=0 is the defense 'baseline'")
        if self.step <= 0:
            raise UserError(f"step={self.step} is not above 0; the paper's is 1.25")
        if not 0 <= self.start <= 1:
            raise UserError(f"start={self.start} is not in [0, 1]; the paper's is 1")

    def perturb(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the images after the step, inside the ball and [0, 1]."""

        def slope(images: Tensor) -> Tensor:
            return loss_gradient(model, images, y, through=False)

        start = (x + uniform_in_ball(x, self.start * self.eps)).clamp(0, 1)
        return ascended(x, start, slope, steps=1, length=self.step * self.eps, eps=self.eps)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on the perturbed images."""
        adversarial = self.perturb(model, x, y)
        self.observe(adversarial - x)
        return F.cross_entropy(model(adversarial), y)
