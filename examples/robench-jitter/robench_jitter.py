"""Gaussian noise as a defense."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError


@dataclass
class Jitter(Defense):
    """Train on images with Gaussian noise added, cut to [0, 1]."""

    strength: ClassVar[str | None] = "sigma"
    stronger: ClassVar[Literal["up", "down"]] = "up"

    sigma: float = 0.25
    """Standard deviation of the noise, in pixel values."""
    clean: float = 0.0
    """Share of the images, from 0 to 1, that are left without noise."""

    def __post_init__(self) -> None:
        """Refuse what is no deviation and no share."""
        if self.sigma < 0:
            raise UserError(f"sigma={self.sigma} is below 0; give 0 or more")
        if not 0 <= self.clean <= 1:
            raise UserError(f"clean={self.clean} is not from 0 to 1")

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean cross-entropy on noisy images.

        `x`: float (n, channels, height, width) in [0, 1]; `y`: int64 (n,).
        """
        noise = torch.randn(x.shape, device=x.device)
        noisy = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.clean
        shown = torch.where(noisy, x + self.sigma * noise, x).clamp(0, 1)
        self.observe(shown - x)
        return F.cross_entropy(model(shown), y)
