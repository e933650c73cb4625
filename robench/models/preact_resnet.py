"""PreAct-ResNet-18, in its form for small images (He et al., 2016b)."""

from dataclasses import dataclass

from torch import nn

from robench.architecture import Architecture
from robench.errors import UserError
from robench.models.preactivation import PreActivationNetwork

SMALLEST = 16
"""Pixels of a side: the last maps have two, so that batch norm has something to normalise."""


@dataclass(frozen=True)
class PreActResNet18(Architecture):
    """PreAct-ResNet-18 for small images: 11.17 M parameters at width 1 with 10 classes."""

    width: float = 1.0
    """Multiplies every layer's filter count: 64, 128, 256, 512."""

    def __post_init__(self) -> None:
        """Refuse a width that leaves no filters."""
        if not 0 < self.width <= 64:
            raise UserError(f"model width {self.width} is not in (0, 64]; the usual one is 1")

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network; sides must be 16 or more."""
        channels, height, width = shape
        if min(height, width) < SMALLEST:
            raise UserError(
                f"preact-resnet18 needs image sides of {SMALLEST} or more, these are {height} x "
                f"{width}; resize the images or choose another --model"
            )
        filters = [max(1, round(filters * self.width)) for filters in (64, 64, 128, 256, 512)]
        return PreActivationNetwork(channels, filters, blocks=2, classes=classes)
