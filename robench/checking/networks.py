"""Networks that plugins are tried on: one that learns in a few steps, one of known boundary."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALE = 10.0
"""Lead of the nearer class at distance 1 from the boundary of a `Plane`."""


class Small(nn.Module):
    """A convolution, a mean over pairs of pixels, a linear layer."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        """Take images of (channels, height, width)."""
        super().__init__()
        channels, height, width = shape
        self.convolution = nn.Conv2d(channels, 8, 3, padding=1)
        self.linear = nn.Linear(8 * (height // 2) * (width // 2), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, channels, height, width)."""
        return self.linear(F.avg_pool2d(F.leaky_relu(self.convolution(x - 0.5)), 2).flatten(1))


class Plane(nn.Module):
    """Two classes parted by a plane through the middle of the box: distances in closed form."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        """Draw the plane's direction, the same every time."""
        super().__init__()
        size = shape[0] * shape[1] * shape[2]
        normal = torch.randn(size, generator=torch.Generator().manual_seed(0))
        self.normal = nn.Parameter(normal / normal.norm())

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, 2), each image's the same in any batch."""
        beyond = ((x.flatten(1) - 0.5) * self.normal).sum(dim=1)
        return torch.stack([-beyond, beyond], dim=1) * (SCALE / 2)
