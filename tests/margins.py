"""Networks that are not linear, whose nearest adversarial image is known in closed form.

Each says whether an image lies inside a region (class 0) or outside (class 1), and knows how far
its boundary is. The box is left out of account: it must not lie between.
"""

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]


class Region(nn.Module):
    """Logits (`inside`, 0) of images (n, ...)."""

    @abstractmethod
    def inside(self, x: Tensor) -> Tensor:
        """Return a value above 0 for points (n, size) inside the region, below 0 outside."""

    @abstractmethod
    def margin(self, x: Array) -> Array:
        """Return how far points (n, size) are from the boundary, in L2 and float64."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (n, 2)."""
        value = self.inside(x.flatten(1))
        return torch.stack([value, value * 0], dim=1)


class Slab(Region):
    """The points between two parallel planes: two ReLU units, `width` - |w x + b|.

    The margin is that of the nearer plane, from either side.
    """

    def __init__(self, size: int, width: float, steep: float) -> None:
        """Take half the slab's width, and the norm of w."""
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        weight = torch.randn(size, generator=generator)
        weight *= steep / weight.norm()
        self.first, self.width, self.steep = nn.Linear(size, 2), width, steep
        with torch.no_grad():
            self.first.weight.copy_(torch.stack([weight, -weight]))
            self.first.bias.copy_(torch.stack([-weight.sum() / 2, weight.sum() / 2]))

    def inside(self, x: Tensor) -> Tensor:
        """Return the distance from the planes, `steep` times."""
        return self.steep * self.width - self.first(x).relu().sum(dim=1)

    def margin(self, x: Array) -> Array:
        """Return | width - |w x + b| / |w| |."""
        weight = self.first.weight[0].detach().double().numpy()
        bias = float(self.first.bias[0].detach())
        return np.abs(self.width - np.abs(x @ weight + bias) / np.linalg.norm(weight))


class Diamond(Region):
    """The points no further than `radius` in L1 from the middle of the box: 2 x size ReLU units.

    It is convex and all its faces are as steep, so from inside the margin is that of the face
    whose side the point is on: (`radius` - |x - 1/2|_1) / sqrt(size).
    """

    def __init__(self, size: int, radius: float) -> None:
        """Take the radius in L1."""
        super().__init__()
        self.radius = radius
        self.first, self.last = nn.Linear(size, 2 * size), nn.Linear(2 * size, 1)
        with torch.no_grad():
            self.first.weight.copy_(torch.cat([torch.eye(size), -torch.eye(size)]))
            self.first.bias.copy_(torch.cat([torch.full((size,), s) for s in (-0.5, 0.5)]))
            self.last.weight.fill_(-1)
            self.last.bias.fill_(radius)

    def inside(self, x: Tensor) -> Tensor:
        """Return what is left of the radius."""
        return self.last(self.first(x).relu()).squeeze(1)

    def margin(self, x: Array) -> Array:
        """Return the distance of points inside."""
        left = self.radius - np.abs(x - 0.5).sum(axis=1)
        assert (left > 0).all()
        return left / x.shape[1] ** 0.5


class Ellipsoid(Region):
    """1 - |(x - 1/2) / axes|^2, curved, and steepest elsewhere than where the boundary is nearest.

    The nearest point is 1/2 + d axes^2 / (axes^2 + t), d = x - 1/2, for the t above -min axes^2
    that puts it on the boundary (Lagrange): found by bisection.
    """

    def __init__(self, size: int, short: float, long: float) -> None:
        """Take the shortest and the longest axis."""
        super().__init__()
        self.first = nn.Linear(size, size)
        with torch.no_grad():
            scale = 1 / torch.linspace(short, long, size)
            self.first.weight.copy_(scale.diag())
            self.first.bias.copy_(-scale / 2)

    def inside(self, x: Tensor) -> Tensor:
        """Return 1 - |(x - 1/2) / axes|^2."""
        return 1 - self.first(x).square().sum(dim=1)

    def margin(self, x: Array) -> Array:
        """Return the distance from either side."""
        square = 1 / self.first.weight.diag().detach().double().numpy() ** 2
        away = x - 0.5
        low = np.full((len(x), 1), -square.min())
        high = np.full((len(x), 1), 1e3)
        for _ in range(100):
            middle = (low + high) / 2
            with np.errstate(divide="ignore"):
                beyond = (away**2 * square / (square + middle) ** 2).sum(axis=1) > 1
            low = np.where(beyond[:, None], middle, low)
            high = np.where(beyond[:, None], high, middle)
        return np.linalg.norm(away * high / (square + high), axis=1)
