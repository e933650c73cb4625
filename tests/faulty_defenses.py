"""Defenses each wrong in one way, which a check of `robench check` is there to catch."""

import random
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense


@dataclass
class Sound(Defense):
    """Train on noisy images."""

    strength: ClassVar[str | None] = "sigma"

    sigma: float = 0.1
    """Standard deviation of the noise."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on noisy images."""
        return F.cross_entropy(model(x + self.sigma * torch.randn(x.shape, device=x.device)), y)


@dataclass
class Unexplained(Sound):
    """Has a setting that nothing is said about."""

    steps: int = 1


@dataclass
class StrengthOfNothing(Sound):
    """Names a strength that is no setting."""

    strength: ClassVar[str | None] = "eps"


@dataclass
class LossOfEach(Sound):
    """Returns a loss an image."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return (n,)."""
        return F.cross_entropy(model(x), y, reduction="none")


@dataclass
class InPlace(Sound):
    """Writes into the images."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of darkened images."""
        return F.cross_entropy(model(x.mul_(0.5)), y)


@dataclass
class Detached(Sound):
    """Cuts the loss off from the weights."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return a number of no origin."""
        return F.cross_entropy(model(x).detach(), y)


@dataclass
class SpreadOfBatch(Sound):
    """Takes a standard deviation over the batch, of one image none."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return NaN for one image."""
        logits = model(x)
        return F.cross_entropy(logits, y) + logits.std(dim=0).mean()


@dataclass
class Diverging(Sound):
    """Rises until training is given up."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return a loss that no training survives."""
        return F.cross_entropy(model(x), y) * 1e6


@dataclass
class GreyOnly(Sound):
    """Takes images of one channel alone."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of images shaped as grey ones."""
        return F.cross_entropy(model(x.reshape(len(x), 1, 8, 8)), y)


@dataclass
class FullPrecision(Sound):
    """Cannot do with what bf16 gives."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy, multiplied with a matrix of float32."""
        logits = model(x)
        same: Tensor = torch.zeros(len(x), logits.shape[1]).index_add(
            0, torch.arange(len(x)), logits
        )
        return F.cross_entropy(same, y)


@dataclass
class OwnDice(Sound):
    """Draws from Python's generator, which nobody seeds."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of images made darker by chance."""
        return F.cross_entropy(model(x * random.SystemRandom().random()), y)


@dataclass
class OwnSeed(Sound):
    """Seeds the global generator itself."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy under the same noise at each step."""
        torch.manual_seed(0)
        return super().loss(model, x, y)


@dataclass
class Counting(Sound):
    """Keeps in the object what an interruption loses."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of images that darken step by step."""
        self._step = getattr(self, "_step", 0) + 1
        return F.cross_entropy(model(x / self._step), y)
