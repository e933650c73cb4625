"""Wide residual networks (Zagoruyko and Komodakis, 2016)."""

from dataclasses import dataclass

from torch import nn

from robench.architecture import Architecture
from robench.errors import UserError
from robench.models.preactivation import PreActivationNetwork

SMALLEST = 8
"""Pixels of a side: the last maps have two, so that batch norm has something to normalise."""


@dataclass(frozen=True)
class WideResNet(Architecture):
    """WideResNet-28-10, without dropout: 36.48 M parameters with 10 classes."""

    depth: int = 28
    """Convolutions in a row and the dense layer, 6 n + 4: 10, 16, 22, 28, 34, ..."""
    width: float = 10.0
    """Filters of the three stages, in 16, 32 and 64."""

    def __post_init__(self) -> None:
        """Refuse what makes no such network."""
        if self.depth < 10 or self.depth % 6 != 4:
            raise UserError(f"model depth {self.depth} is not of 10, 16, 22, 28, ... (6 n + 4)")
        if not 0 < self.width <= 64:
            raise UserError(f"model width {self.width} is not in (0, 64]; the usual one is 10")

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network; sides must be 8 or more."""
        channels, height, width = shape
        if min(height, width) < SMALLEST:
            raise UserError(
                f"wide-resnet needs image sides of {SMALLEST} or more, these are {height} x "
                f"{width}; resize the images or choose another --model"
            )
        wide = [max(1, round(filters * self.width)) for filters in (16, 32, 64)]
        return PreActivationNetwork(channels, [16, *wide], (self.depth - 4) // 6, classes)
