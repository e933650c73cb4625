"""L2 geometry and loss ascent that defenses share. Images are (n, ...), norms one per image."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from robench.second_order import SecondOrder

Sought = Literal["any", "images", "through"]
"""By weights, by images or both; by images alone; by images, keeping the graph."""
_SOUGHT: ContextVar[Sought] = ContextVar("sought", default="any")


def norms(x: Tensor) -> Tensor:
    """Return the L2 norm of each image, shaped to multiply with `x`."""
    # Not flattened, which would copy an image that is stored channels last.
    return torch.linalg.vector_norm(x, dim=tuple(range(1, x.dim())), keepdim=True)


def with_norm(x: Tensor, length: float) -> Tensor:
    """Scale each image to the L2 norm `length`; an image that is all zero stays so."""
    return x * (length / norms(x).clamp_min(1e-12))


def within(x: Tensor, radius: float) -> Tensor:
    """Shorten each image that is longer than `radius` to it."""
    return x * (radius / norms(x).clamp_min(1e-12)).clamp_max(1.0)


def uniform_in_ball(x: Tensor, radius: float) -> Tensor:
    """Draw one point per image, uniform in the L2 ball of `radius` around the origin."""
    # Drawn in the shape's order, which is ten times faster than in channels-last's, and then the
    # same whatever the layout.
    drawn = torch.randn(x.shape, dtype=x.dtype, device=x.device)
    direction = with_norm(torch.empty_like(x, requires_grad=False).copy_(drawn), 1.0)
    dimensions = x[0].numel()
    length = torch.rand(len(x), device=x.device) ** (1 / dimensions)
    return direction * (radius * length.view(-1, *[1] * (x.dim() - 1)))


def loss_gradient(model: nn.Module, x: Tensor, y: Tensor, *, through: bool) -> Tensor:
    """Return the gradient of each image's cross-entropy with respect to that image.

    `through`: keep the graph, so that what is built on the gradient can be differentiated by the
    weights (second order).
    """

    def loss(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits, y, reduction="sum")

    return image_gradient(model, x, loss, through=through)


def image_gradient(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    score: Callable[[Tensor], Tensor],
    *,
    through: bool,
) -> Tensor:
    """Return the gradient, with respect to the images, of a scalar `score` of their logits.

    `through`: as for `loss_gradient`. Running statistics of batch norm stay as they are.
    """
    token = _SOUGHT.set("through" if through else "images")
    try:
        with (
            torch.enable_grad(),
            still_statistics(model),
            SecondOrder() if through else nullcontext(),
        ):
            x = x if x.requires_grad else x.detach().requires_grad_()
            score_of_all = score(model(x))
    finally:
        _SOUGHT.reset(token)
    (gradient,) = torch.autograd.grad(score_of_all, x, create_graph=through)
    return gradient


def sought() -> Sought:
    """Return what the network that is being called will be differentiated by."""
    return _SOUGHT.get()


def call_with(network: nn.Module, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return the logits of images `x` under other `weights`, by name; the rest are its own.

    What `weights` were computed from can be differentiated by. The network keeps its own. A weight
    that goes by several names is replaced under those that are given.
    """
    token = _SOUGHT.set("through")  # compiled, it would only know its own weights
    try:
        # Ties are not followed: a compiled network holds one module twice, and exchanging a weight
        # twice in one place would leave the other one there.
        logits: Tensor = functional_call(network, dict(weights), (x,), tie_weights=False)
    finally:
        _SOUGHT.reset(token)
    return logits


@contextmanager
def still_statistics(network: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Have batch norm normalise as ever, and leave its running statistics as they are.

    For passes that make adversarial images: only what the loss is of is to be counted.
    """
    modules = network.modules() if isinstance(network, nn.Module) else ()
    counting = [one for one in modules if isinstance(one, _BatchNorm) and one.track_running_stats]
    counting = [one for one in counting if one.training]
    for layer in counting:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in counting:
            layer.track_running_stats = True


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Compute no gradients of weights; afterwards all is as it was."""
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in learning:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in learning:
            weight.requires_grad_(True)
