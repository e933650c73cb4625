"""Differentiate a network twice at the price of its passes.

Where a loss is built on a gradient (training through the attack, PGN's gradient image), autograd
differentiates the backward pass too. torch's own formulas for that are correct and slow: the weight
gradient of a convolution's backward is computed as a convolution with image-sized kernels, and
the backward passes of pooling and of leaky ReLU, which are linear, return dense zeros in another
memory layout that all later operations then inherit. Here a convolution's backward is a transposed
convolution, whose own backward is fast, and what is zero is not computed. The values are the same
up to rounding.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Context = Any


class SecondOrder(TorchFunctionMode):
    """Inside, networks compute as ever, but what they record is made to be differentiated twice.

    Convolutions, leaky ReLU, ReLU and average pooling; everything else is left to torch. Weight
    gradients taken from the record cannot themselves be differentiated: that raises RuntimeError.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what `function` returns."""
        replaced = _REPLACED.get(function)
        result = replaced(*args, **(kwargs or {})) if replaced else None
        return function(*args, **(kwargs or {})) if result is None else result


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor | None:
    if isinstance(padding, str) or x.dim() != weight.dim():
        return None
    x, weight, bias = _cast(x), _cast(weight), None if bias is None else _cast(bias)
    sides = x.dim() - 2
    form = (_each(stride, sides), _each(padding, sides), _each(dilation, sides), groups)
    out: Tensor = _ToImage.apply(x, weight, bias, *form)
    along = _ToWeight.apply(weight, bias, x.detach(), out.detach(), *form)
    return _Joined.apply(out, along)


class _ToImage(Function):
    """A convolution, for whose backward the weights are constants."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, weight: Tensor, bias: Tensor | None, *form: Any) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight)
        ctx.shape, ctx.form = x.shape[2:], form
        stride, padding, dilation, groups = form
        none = [0] * len(stride)
        return torch.ops.aten.convolution(
            x, weight, bias, stride, padding, dilation, False, none, groups
        )

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.form
        cut = [  # what a strided convolution does not see at the far edge
            size - ((out - 1) * s - 2 * p + d * (kernel - 1) + 1)
            for size, out, kernel, s, p, d in zip(
                ctx.shape, slope.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
            )
        ]
        back = torch.ops.aten.convolution(
            slope, weight, None, stride, padding, dilation, True, cut, groups
        )
        return (back, *[None] * 6)


class _ToWeight(Function):
    """A branch beside the convolution: it is walked only where the weights' gradient is asked."""

    @staticmethod
    def forward(
        ctx: Context, weight: Tensor, bias: Tensor | None, x: Tensor, out: Tensor, *form: Any
    ) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(weight, x)
        ctx.biased, ctx.form = bias is not None, form
        return out.new_empty(()).expand(out.shape)  # takes no memory; its values are never read

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "SecondOrder records images' gradients to be differentiated again, not weights'"
            )
        weight, x = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.form
        _, for_weight, for_bias = torch.ops.aten.convolution_backward(
            slope,
            x,
            weight,
            [len(weight)],
            stride,
            padding,
            dilation,
            False,
            [0] * len(stride),
            groups,
            [False, True, ctx.biased],
        )
        return (for_weight, for_bias, *[None] * 6)


class _Joined(Function):
    """The convolution's output, its gradient sent both ways."""

    @staticmethod
    def forward(ctx: Context, out: Tensor, along: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.mark_dirty(out)  # handed on as it is, and free to be changed in place
        return out

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor, Tensor]:
        return slope, slope


class _LeakyReLU(Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return torch.ops.aten.leaky_relu(x, slope)

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor, None]:
        x = ctx.saved_tensors[0].detach()  # piecewise linear: nothing flows through where it bends
        return torch.ops.aten.leaky_relu_backward(slope, x, ctx.slope, False), None


class _AveragePool(Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor, *form: Any) -> Tensor:
        ctx.save_for_backward(x)
        ctx.form = form
        return torch.ops.aten.avg_pool2d(x, *form)

    @staticmethod
    def backward(ctx: Context, slope: Tensor) -> tuple[Tensor | None, ...]:
        x = ctx.saved_tensors[0].detach()  # asked for its shape alone
        back = torch.ops.aten.avg_pool2d_backward(slope, x, *ctx.form)
        return (back, *[None] * len(ctx.form))


def _leaky_relu(x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor | None:
    return None if inplace else _LeakyReLU.apply(x, negative_slope)


def _relu(x: Tensor, inplace: bool = False) -> Tensor | None:
    return None if inplace else _LeakyReLU.apply(x, 0.0)


def _average_pool(
    x: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    size = _each(kernel_size, 2)
    form = (size, _each(stride, 2) if stride else size, _each(padding, 2))
    return _AveragePool.apply(x, *form, ceil_mode, count_include_pad, divisor_override)


_REPLACED: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
    torch.conv1d: _convolution,
    torch.conv2d: _convolution,
    torch.conv3d: _convolution,
    F.leaky_relu: _leaky_relu,
    F.relu: _relu,
    torch.relu: _relu,
    F.avg_pool2d: _average_pool,
}


def _each(value: int | tuple[int, ...], sides: int) -> list[int]:
    return [value] * sides if isinstance(value, int) else list(value)


def _cast(tensor: Tensor) -> Tensor:
    """Return what autocast would hand to a convolution."""
    kind = tensor.device.type
    if torch.is_autocast_enabled(kind) and tensor.dtype in (torch.float32, torch.float16):
        return tensor.to(torch.get_autocast_dtype(kind))
    return tensor
