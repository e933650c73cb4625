"""Linear classifiers, whose nearest adversarial image is known in closed form."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float64]


class Planes(nn.Module):
    """Logits that are affine in the image, so that every decision boundary is a plane."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Take `weight` (classes, values of an image) and `bias` (classes,)."""
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, ...) to logits (n, classes), each image's the same in any batch."""
        return (x.flatten(1).unsqueeze(1) * self.weight).sum(dim=2) + self.bias


def random_planes(
    shape: tuple[int, int, int], classes: int, *, seed: int = 0, scale: float = 1.0
) -> Planes:
    """Return planes of random directions and steepness that meet at the middle of the box.

    Each class's weights have an expected norm of `scale`.
    """
    generator = torch.Generator().manual_seed(seed)
    size = int(np.prod(shape))
    weight = torch.randn(classes, size, generator=generator) * (scale / size**0.5)
    return Planes(weight, -weight.sum(dim=1) / 2)


def regular_planes(
    shape: tuple[int, int, int], classes: int, *, seed: int = 0, scale: float = 1.0
) -> Planes:
    """Return planes of which the nearest is always that of the runner-up's logit.

    The weights are orthogonal, of norm `scale`; the planes meet at the middle of the box.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(int(np.prod(shape)), classes, generator=generator)
    weight = torch.linalg.qr(directions).Q.T.contiguous() * scale
    return Planes(weight, -weight.sum(dim=1) / 2)


def images(shape: tuple[int, int, int], count: int, *, seed: int = 1) -> NDArray[np.float32]:
    """Return images scattered around the middle of the box, away from its edges."""
    scatter = 0.1 * np.random.default_rng(seed).standard_normal((count, *shape))
    return np.clip(0.5 + scatter, 0.15, 0.85).astype(np.float32)


def logits(planes: Planes, x: NDArray[np.float32] | Array) -> Array:
    """Return the logits in float64."""
    weight = planes.weight.detach().numpy().astype(np.float64)
    bias = planes.bias.detach().numpy().astype(np.float64)
    return x.reshape(len(x), -1).astype(np.float64) @ weight.T + bias


def labels(planes: Planes, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the class of each image."""
    return logits(planes, x).argmax(axis=1)


def nearest(planes: Planes, x: NDArray[np.float32], y: NDArray[np.int64]) -> Array:
    """Return the L2 distance of each image from the nearest boundary of its class `y`.

    The box is left out of account: it must not lie between.
    """
    weight = planes.weight.detach().numpy().astype(np.float64)
    scores = logits(planes, x)
    gap = scores[np.arange(len(x)), y, None] - scores
    steepness = np.linalg.norm(weight[y][:, None] - weight[None], axis=2)
    distance = np.divide(gap, steepness, out=np.full_like(gap, np.inf), where=steepness > 0)
    distance[np.arange(len(x)), y] = np.inf
    return distance.min(axis=1)
