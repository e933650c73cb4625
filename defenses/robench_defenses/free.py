"""Free adversarial training: one backward pass for weights and images (Shafahi et al., 2019)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError
from robench.gradient import with_norm, within
from robench_defenses.known import with_gradient


@dataclass
class FreeAT(Defense):
    """Train `replays` times on each batch; each backward pass also moves the perturbation.

    The perturbation goes on from batch to batch (Algorithm 1), and begins each epoch at zero.
    """

    strength: ClassVar[str | None] = "eps"

    eps: float = 0.1
    """L2 radius of the ball, and length of each step."""
    replays: int = 8
    """Updates on each batch, the paper's m (there 8); an epoch costs as many."""

    def __post_init__(self) -> None:
        """Refuse a step that goes nowhere; begin without a perturbation."""
        if self.eps <= 0:
            raise UserError(f"eps={self.eps} is not above 0; eps=0 is the defense 'baseline'")
        if self.replays < 1:
            raise UserError(f"replays={self.replays} is not at least 1")
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Start from no perturbation."""
        self._carried: Tensor | None = None

    def carried(self, x: Tensor) -> Tensor:
        """Return the perturbation (n, ...) that images `x` begin with, within the ball."""
        perturbation = torch.zeros_like(x)
        if self._carried is not None:
            count = min(len(x), len(self._carried))  # the last batch may be smaller
            perturbation[:count] = self._carried[:count]
        return perturbation

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on the images with the perturbation carried so far."""
        return F.cross_entropy(model((x + self.carried(x)).clamp(0, 1)), y)

    def updates(self, model: nn.Module, x: Tensor, y: Tensor) -> Iterator[Mapping[str, Tensor]]:
        """Yield the loss of each replay, its gradient taken together with that of the images."""
        for _ in range(self.replays):
            perturbation = self.carried(x)
            adversarial = (x + perturbation).clamp(0, 1)
            self.observe(adversarial - x)
            adversarial.requires_grad_()
            loss = F.cross_entropy(model(adversarial), y)
            weights = [weight for weight in model.parameters() if weight.requires_grad]
            slope, *slopes = torch.autograd.grad(loss, [adversarial, *weights], allow_unused=True)
            self._carried = within(perturbation + with_norm(slope, self.eps), self.eps)
            yield {"classifier": with_gradient(loss, weights, slopes)}
