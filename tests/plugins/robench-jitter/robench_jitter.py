"""Gaussian noise as a defense: the least a plugin needs."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robench.defense import Defense


@dataclass
class Jitter(Defense):
    """Train on images with Gaussian noise added, cut to [0, 1]."""

    strength: ClassVar[str | None] = "sigma"

    sigma: float = 0.25
    """Standard deviation of the noise, in pixel values."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on noisy images."""
        noisy = (x + self.sigma * torch.randn_like(x)).clamp(0, 1)
        self.observe(noisy - x)
        return F.cross_entropy(model(noisy), y)
