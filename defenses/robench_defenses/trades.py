"""TRADES: accuracy on clean images, and the same answer around them (Zhang et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError
from robench.gradient import image_gradient, within
from robench_defenses.ascent import ascended, noise
from robench_defenses.divergence import divergence, log_probabilities

START = 1e-3
"""Deviation of the noise that the ascent starts from: at `x` itself the divergence is flat."""


@dataclass
class TRADES(Defense):
    """Train on clean images, and on `beta` times how far answers differ in the `eps`-ball.

    Eq. 5 of the paper, beta being its 1 / lambda.
    """

    strength: ClassVar[str | None] = "beta"

    beta: float = 6.0
    """Weight of the divergence; the paper's tables use 6 and 1."""
    eps: float = 0.5
    """L2 radius of the ball."""
    steps: int = 10
    """Steps of 2 eps / steps each (the authors' L2 code)."""

    def __post_init__(self) -> None:
        """Refuse a loss or an attack that comes to nothing."""
        if self.beta <= 0:
            raise UserError(f"beta={self.beta} is not above 0; beta=0 is the defense 'baseline'")
        if self.eps <= 0:
            raise UserError(f"eps={self.eps} is not above 0; eps=0 is the defense 'baseline'")
        if self.steps < 1:
            raise UserError(f"steps={self.steps} is not at least 1")

    def perturb(self, model: nn.Module, x: Tensor, answer: Tensor) -> Tensor:
        """Return images in the ball whose answer is far from `answer`, log-probabilities of x."""
        still = answer.detach()

        def far(logits: Tensor) -> Tensor:
            return divergence(still, log_probabilities(logits)).sum()

        def slope(images: Tensor) -> Tensor:
            return image_gradient(model, images, far, through=False)

        start = (x + within(noise(x, START), self.eps)).clamp(0, 1)
        length = 2 * self.eps / self.steps
        return ascended(x, start, slope, steps=self.steps, length=length, eps=self.eps)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the clean cross-entropy and `beta` times the mean divergence.

        Both answers of the divergence are differentiated, as in the authors' code.
        """
        answer = log_probabilities(model(x))
        adversarial = self.perturb(model, x, answer)
        self.observe(adversarial - x)
        apart = divergence(answer, log_probabilities(model(adversarial))).mean()
        return F.nll_loss(answer, y) + self.beta * apart
