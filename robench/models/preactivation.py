"""Residual networks whose blocks normalise and rectify before they convolve (He et al., 2016b)."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where sizes change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, stride=stride)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs)
        changes = stride != 1 or inputs != outputs
        self.shortcut = convolution(inputs, outputs, 1, stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (n, outputs, height / stride, width / stride), rounded up."""
        h = F.relu(self.norm1(x))
        beside = self.shortcut(h) if self.shortcut is not None else x
        h = self.conv1(h)
        return beside + self.conv2(F.relu(self.norm2(h)))


class PreActivationNetwork(nn.Module):
    """A 3x3 convolution, stages of blocks, of which all but the first halve the sides, a mean.

    `filters`: those of the first convolution, then of each stage. Images of mean 1/2 and deviation
    1/4 come to the first layer with mean 0 and deviation 1, whatever the data set.
    """

    def __init__(self, channels: int, filters: Sequence[int], blocks: int, classes: int) -> None:
        super().__init__()
        self.first = convolution(channels, filters[0])
        stages = [
            Block(outputs if number else inputs, outputs, 2 if stage and not number else 1)
            for stage, (inputs, outputs) in enumerate(pairwise(filters))
            for number in range(blocks)
        ]
        self.blocks = nn.Sequential(*stages)
        self.norm = nn.BatchNorm2d(filters[-1])
        self.last = nn.Linear(filters[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, channels, height, width) in [0, 1]."""
        x = (4 * x - 2).contiguous(memory_format=torch.channels_last)
        h = F.relu(self.norm(self.blocks(self.first(x))))
        return self.last(h.mean(dim=(2, 3)))


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """Return a convolution without bias, its weights from N(0, 2 / fan_out)."""
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / (outputs * size * size)))
    return layer
