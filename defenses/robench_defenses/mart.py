"""MART: adversarial training that minds what is misclassified (Wang et al., 2020)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.errors import UserError
from robench_defenses.divergence import divergence, log_probabilities
from robench_defenses.pgd import PGD


@dataclass
class MART(PGD):
    """Train on PGD's images, and on how far answers differ where the clean one is wrong."""

    strength: ClassVar[str | None] = "weight"

    eps: float = 0.5
    """L2 radius of the ball."""
    weight: float = 5.0
    """Weight of the divergence, the paper's lambda (there 5)."""

    def __post_init__(self) -> None:
        """Refuse a loss or an attack that comes to nothing."""
        super().__post_init__()
        if self.weight <= 0:
            raise UserError(f"weight={self.weight} is not above 0")

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the boosted cross-entropy on PGD's images and the weighted divergence.

        BCE(p(x'), y) + weight KL(p(x) || p(x')) (1 - p_y(x)); everything is differentiated.
        """
        adversarial = self.perturb(model, x, y)
        self.observe(adversarial - x)
        clean = log_probabilities(model(x))
        moved = log_probabilities(model(adversarial))
        doubt = 1 - clean.exp().gather(1, y[:, None]).squeeze(1)
        apart = (divergence(clean, moved) * doubt).mean()
        return boosted_cross_entropy(moved, y) + self.weight * apart


def boosted_cross_entropy(answer: Tensor, y: Tensor) -> Tensor:
    """Return the mean of -log p_y - log(1 - max_(k != y) p_k), of log-probabilities."""
    rival = answer.scatter(1, y[:, None], -math.inf).argmax(dim=1, keepdim=True)
    # The sum of all other probabilities, which stays exact where the rival's is near 1.
    rest = torch.logsumexp(answer.scatter(1, rival, -math.inf), dim=1)
    return F.nll_loss(answer, y) - rest.mean()
