"""No defense: training on clean images alone."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense


@dataclass
class Baseline(Defense):
    """Train on the images as they are."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on clean images."""
        return F.cross_entropy(model(x), y)
