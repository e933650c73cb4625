"""The nearest misclassified image in a direction, found by bisection."""

import torch
from torch import Tensor

from robench.gradient import norms
from robench_attacks.gradient import broad
from robench_attacks.network import Network, clearly_fooled

HALVINGS = 20
"""Of the stretch between a scale that does not fool and one that does."""


def nearest_on_ray(network: Network, x: Tensor, y: Tensor, way: Tensor) -> Tensor:
    """Return the misclassified image on each ray `x` + s `way`, s > 0, or `x` where none was met.

    `x`: (n, ...) in [0, 1]; `y`: int64 (n,); `way`: as `x`, of any length. Where s = 1 does not
    fool, s is doubled, the image clipped to the box, until it lies beyond the box's diagonal; then
    the last stretch is halved. An error nearer than the first one met may be passed over. All is
    predicted in float32.
    """
    length = norms(way).flatten()
    diagonal = x[0].numel() ** 0.5 if len(x) else 0.0
    farthest = torch.where(length > 0, diagonal / length, 0)  # of a way that is NaN, too

    def at(scale: Tensor) -> Tensor:
        return (x + broad(scale, x) * way).clamp_(0, 1)

    def fools(scale: Tensor) -> Tensor:
        return clearly_fooled(network(at(scale)), y)

    near, far = torch.zeros_like(length), torch.ones_like(length)
    fooled = fools(far)
    while (further := ~fooled & (2 * far <= farthest)).any():
        near, far = torch.where(further, far, near), torch.where(further, 2 * far, far)
        fooled |= further & fools(far)
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        hit = fools(middle)
        far, near = torch.where(hit, middle, far), torch.where(hit, near, middle)
    return torch.where(broad(fooled & (length > 0), x), at(far), x)
