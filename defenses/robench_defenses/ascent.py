"""L2 ascent inside a ball and the box [0, 1], as several defenses do it."""

from collections.abc import Callable

import torch
from torch import Tensor

from robench.gradient import with_norm, within


def ascended(
    x: Tensor,
    start: Tensor,
    slope: Callable[[Tensor], Tensor],
    *,
    steps: int,
    length: float,
    eps: float,
) -> Tensor:
    """Return the last of `steps` images, from `start` on, each `length` further up.

    `slope` returns the direction in which to go from images. Each step is projected onto the ball
    of radius `eps` around `x`, then clipped to [0, 1].
    """
    adversarial = start
    for _ in range(steps):
        moved = adversarial + with_norm(slope(adversarial), length) - x
        adversarial = (x + within(moved, eps)).clamp(0, 1)
    return adversarial


def noise(x: Tensor, sigma: float) -> Tensor:
    """Draw Gaussian noise of deviation `sigma` in every pixel, shaped as `x`."""
    # In the shape's order, which is faster than in channels-last's; see uniform_in_ball.
    return sigma * torch.randn(x.shape, dtype=x.dtype, device=x.device)
