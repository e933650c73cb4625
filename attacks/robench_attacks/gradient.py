"""Gradients with respect to images that stay finite whatever the network does."""

from collections.abc import Callable

import torch
from torch import Tensor

from robench.gradient import norms

Logits = Callable[[Tensor], Tensor]
"""Maps images (n, ...) in [0, 1] to logits (n, classes); rows must not depend on each other."""


def gradient(value: Tensor, x: Tensor, *, again: bool = False) -> Tensor:
    """Return d `value`[i] / d `x`[i] for every image: shaped as `x`, zero where undefined.

    `value` (n,) was computed from `x`. `again`: another gradient of the same computation follows.
    """
    if not value.requires_grad:  # the logits are constants
        return torch.zeros_like(x)
    (slope,) = torch.autograd.grad(
        value, x, torch.ones_like(value), retain_graph=again, allow_unused=True
    )
    if slope is None:
        return torch.zeros_like(x)
    return slope.nan_to_num(0.0, 0.0, 0.0)


def unit(x: Tensor) -> Tensor:
    """Scale each image to L2 norm 1, however short it is; an image that is all zero stays so."""
    largest = x.abs().amax(dim=tuple(range(1, x.dim())), keepdim=True)
    scaled = x / torch.where(largest > 0, largest, 1)  # squares of what is tiny would underflow
    return scaled.div_(norms(scaled).clamp_min_(1))  # 1: the least norm unless all is zero


def broad(values: Tensor, x: Tensor) -> Tensor:
    """Shape one value per image, (n,), to broadcast over `x`, (n, ...)."""
    return values.view(-1, *[1] * (x.dim() - 1))


def total(x: Tensor) -> Tensor:
    """Return the sum of each image's values, (n,)."""
    # Not flattened, which would copy an image that is stored channels last.
    return x.sum(dim=tuple(range(1, x.dim())))


def own_and_others(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Split logits (n, classes) into the labels' (n,) and the rest, -infinity at the label."""
    at_label = y.unsqueeze(1)
    own = logits.gather(1, at_label).squeeze(1)
    return own, logits.scatter(1, at_label, -torch.inf)


def loss_margin(scores: Tensor, y: Tensor) -> Tensor:
    """Return m, (n,): logsumexp of the other logits less the label's; cross-entropy is softplus(m).

    It rises with cross-entropy, and does not saturate for a confident network.
    """
    own, others = own_and_others(scores, y)
    return others.logsumexp(dim=1) - own


def loss_ratio(scores: Tensor, y: Tensor) -> Tensor:
    """Return the difference of logits ratio (DLR; Croce & Hein, 2020, equation 6), (n,).

    -(z_y - max z_other) / (z_1st - z_3rd), of three logits or more, the latter two their largest
    and third largest: from -1 to 0 up to the boundary, above 0 beyond it, and the same for logits
    that are scaled or shifted. Finite where the largest are all one.
    """
    own, others = own_and_others(scores, y)
    largest = scores.topk(3, dim=1).values
    spread = largest[:, 0] - largest[:, 2]
    return (others.amax(dim=1) - own) / spread.clamp_min(1e-12)


def loss_direction(logits: Logits, x: Tensor, y: Tensor) -> Tensor:
    """Return the unit gradient of each image's cross-entropy; zero where the gradient is.

    The gradient of cross-entropy is (1 - p_y) times that of m, see `loss_margin`. Normalising
    cancels the factor, which float32 rounds to 0 for a confident network: the direction is taken
    from m.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return unit(gradient(loss_margin(logits(x), y), x))
