"""Networks differentiated twice: torch's own values, without torch's own detours."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from robench.gradient import loss_gradient
from robench.models.convpool import ConvPool
from robench.second_order import SecondOrder


def convpool() -> nn.Module:
    """Return a small ConvPool-CNN."""
    return ConvPool(width=0.1).build((3, 16, 16), 5)


def odd() -> nn.Module:
    """Return strides, groups, dilations, paddings that do not divide evenly."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1, dilation=2, groups=3, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.Conv2d(6, 8, 2, stride=(2, 1), padding=(1, 0)),
        nn.LeakyReLU(0.3),
        nn.Conv2d(8, 8, 3, padding="same"),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"),
        nn.AvgPool2d((1, 2), divisor_override=3),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


def along_a_line() -> nn.Module:
    """Return convolutions over one side alone."""
    return nn.Sequential(
        nn.Flatten(2), nn.Conv1d(3, 4, 5, stride=3), nn.Tanh(), nn.Flatten(), nn.LazyLinear(5)
    )


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convpool": convpool,
    "odd": odd,
    "along_a_line": along_a_line,
    "resnet": lambda: torchvision.models.resnet18(num_classes=5),
}


def slopes(network: nn.Module, x: Tensor, y: Tensor, *, ours: bool) -> list[Tensor]:
    """Return logits, image gradient, and weight gradients of a loss of the image gradient."""
    leaf = x.clone().requires_grad_()
    with SecondOrder() if ours else nullcontext():
        logits = network(leaf)
    score = F.cross_entropy(logits, y, reduction="sum")
    (gradient,) = torch.autograd.grad(score, leaf, create_graph=True)
    loss = F.cross_entropy(network(x + gradient), y)
    return [logits, gradient, *torch.autograd.grad(loss, list(network.parameters()))]


@pytest.mark.parametrize("name", NETWORKS)
def test_values_are_those_of_torch(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]().double().eval()
    x, y = torch.rand(4, 3, 32, 32, dtype=torch.float64), torch.arange(4)
    network(x)  # lazy layers learn their size
    for own, other in zip(
        slopes(network, x, y, ours=True), slopes(network, x, y, ours=False), strict=True
    ):
        torch.testing.assert_close(own, other, rtol=1e-9, atol=1e-13)


def test_first_gradients_are_those_of_torch_to_the_bit() -> None:
    torch.manual_seed(0)
    network, x, y = convpool(), torch.rand(4, 3, 16, 16), torch.arange(4)
    weights = list(network.parameters())
    plain = torch.autograd.grad(F.cross_entropy(network(x), y), weights)
    with SecondOrder():
        loss = F.cross_entropy(network(x), y)
    for own, other in zip(torch.autograd.grad(loss, weights), plain, strict=True):
        assert torch.equal(own, other)
    through = loss_gradient(network, x, y, through=True).detach()
    assert torch.equal(through, loss_gradient(network, x, y, through=False))


def test_bf16_is_within_its_rounding() -> None:
    torch.manual_seed(0)
    network, x, y = convpool(), torch.rand(4, 3, 16, 16), torch.arange(4)
    with torch.autocast("cpu", torch.bfloat16):
        own, other = (slopes(network, x, y, ours=ours) for ours in (True, False))
    for one, two in zip(own, other, strict=True):
        assert one.dtype == two.dtype
        torch.testing.assert_close(one, two, rtol=0, atol=0.03 * float(two.detach().abs().max()))


class Operations(TorchDispatchMode):
    """Notes the largest kernel of a convolution, and what lies between them in another layout."""

    kernel = 0
    strayed: tuple[str, ...] = ()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """Look at one operation."""
        result, name = func(*args, **(kwargs or {})), str(func)
        if "convolution.default" in name:
            self.kernel = max(self.kernel, *args[1].shape[2:])
        between = "relu" in name or "pool" in name or "add" in name
        if between and result.dim() == 4 and not channels_last(result):
            self.strayed = (*self.strayed, name)
        return result


def channels_last(images: Tensor) -> bool:
    """Tell whether the channels of a pixel lie side by side."""
    return images.is_contiguous(memory_format=torch.channels_last)


def operations(*, ours: bool) -> Operations:
    """Return what was noted while a ConvPool-CNN was differentiated twice."""
    network = convpool().to(memory_format=torch.channels_last)
    x = torch.rand(4, 3, 16, 16).to(memory_format=torch.channels_last)
    noted = Operations()  # type: ignore[no-untyped-call]
    with noted:
        slopes(network, x, torch.arange(4), ours=ours)
    return noted


def test_nothing_leaves_the_memory_layout_and_no_kernel_is_image_sized() -> None:
    own, plain = operations(ours=True), operations(ours=False)
    assert (own.kernel, own.strayed) == (3, ())
    assert plain.kernel == 16
    assert plain.strayed


def test_second_order_in_the_weights_is_refused_rather_than_wrong() -> None:
    network, x = convpool(), torch.rand(2, 3, 16, 16)
    with SecondOrder():
        total = network(x).square().sum()
    with pytest.raises(RuntimeError, match="not weights'"):
        torch.autograd.grad(total, list(network.parameters()), create_graph=True)


def test_frozen_networks_and_single_images_are_left_working() -> None:
    network = convpool().requires_grad_(False)
    x, y = torch.rand(2, 3, 16, 16), torch.arange(2)
    gradient = loss_gradient(network, x.requires_grad_(), y, through=True)
    (back,) = torch.autograd.grad(gradient.square().sum(), x)
    assert back.abs().sum() > 0
    with SecondOrder():
        single = F.conv2d(x[0].detach(), torch.ones(1, 3, 3, 3))
    torch.testing.assert_close(single, F.conv2d(x[0].detach(), torch.ones(1, 3, 3, 3)))
