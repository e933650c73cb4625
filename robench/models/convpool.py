"""ConvPool-CNN (Table 1): CleverHans' ModelAllConvolutional with 64 filters."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.architecture import Architecture
from robench.errors import UserError

SLOPE = 0.2  # of every leaky ReLU, after the last convolution too


class ConvPoolNetwork(nn.Module):
    """Six 3x3 convolutions in three pooled pairs, one more to the classes, a global mean."""

    def __init__(self, channels: int, filters: tuple[int, int, int, int], classes: int) -> None:
        super().__init__()
        a, b, c, d = filters
        widths = [channels, a, b, b, c, c, d, classes]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, kernel_size=3, padding=1) for i, o in pairwise(widths)
        )
        for layer in self.convolutions:
            initialise(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, channels, height, width) in [0, 1]."""
        x = x.contiguous(memory_format=torch.channels_last)
        for number, convolution in enumerate(self.convolutions):
            x = F.leaky_relu(convolution(x), SLOPE)
            if number in (1, 3, 5):
                x = F.avg_pool2d(x, 2)
        return x.mean(dim=(2, 3))


def initialise(layer: nn.Module) -> None:
    """Draw weights from N(0, 2 / fan_in), set biases to 0."""
    assert isinstance(layer, nn.Conv2d)
    fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


@dataclass(frozen=True)
class ConvPool(Architecture):
    """ConvPool-CNN of Table 1: 2.33 M parameters at width 1 with 10 classes."""

    width: float = 1.0
    """Multiplies every layer's filter count ("capacity", Figs. 5 and 7)."""

    def __post_init__(self) -> None:
        """Refuse a width that leaves no filters."""
        if not 0 < self.width <= 64:
            raise UserError(f"model width {self.width} is not in (0, 64]; the paper's is 1")

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network; images must have sides divisible by 8."""
        channels, height, width = shape
        if height % 8 or width % 8:
            raise UserError(
                f"convpool needs image sides divisible by 8, these are {height} x {width}; "
                "resize the images or choose another --model"
            )
        a, b, c, d = (max(1, round(filters * self.width)) for filters in (64, 128, 256, 512))
        return ConvPoolNetwork(channels, (a, b, c, d), classes)
