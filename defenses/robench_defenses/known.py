"""A loss whose gradient is known already."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.autograd import Function


class _Known(Function):
    @staticmethod
    def forward(
        ctx: Any, loss: Tensor, slopes: Sequence[Tensor | None], *weights: Tensor
    ) -> Tensor:
        ctx.slopes = slopes
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        along = (None if one is None else one * slope for one in ctx.slopes)
        return (None, None, *along)


def with_gradient(
    loss: Tensor, weights: Sequence[Tensor], slopes: Sequence[Tensor | None]
) -> Tensor:
    """Return the scalar `loss`, whose gradient by `weights` is `slopes` and costs no pass.

    `slopes`: a tensor or None for each of `weights`.
    """
    return _Known.apply(loss.detach(), slopes, *weights)
