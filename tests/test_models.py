"""The classifier of Table 1: shapes, sizes, cost, initial weights, and what it refuses."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.errors import UserError
from robench.models.convpool import ConvPool

FILTERS = (64, 128, 128, 256, 256, 512)


def layers(network: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def outputs(network: nn.Module, x: Tensor) -> list[tuple[int, ...]]:
    """Return the shape that each convolution puts out for `x`, without the batch."""
    seen: list[tuple[int, ...]] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
        for layer in layers(network)
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(("classes", "parameters"), [(10, 2_334_730), (100, 2_749_540)])
def test_parameters_are_those_of_table_1(classes: int, parameters: int) -> None:
    assert count(ConvPool().build((3, 32, 32), classes)) == parameters


@pytest.mark.parametrize(("classes", "millions"), [(10, 304), (100, 311)])
def test_forward_pass_costs_what_table_1_says(classes: int, millions: int) -> None:
    network = ConvPool().build((3, 32, 32), classes)
    shapes = outputs(network, torch.rand(1, 3, 32, 32))
    total = sum(
        math.prod(shape) * layer.weight[0].numel()
        for shape, layer in zip(shapes, layers(network), strict=True)
    )
    assert round(total / 1e6) == millions


def test_layers_are_those_of_table_1() -> None:
    network = ConvPool().build((3, 32, 32), 10)
    sides = (32, 32, 16, 16, 8, 8, 4)
    expected = [(f, s, s) for f, s in zip((*FILTERS, 10), sides, strict=True)]
    assert outputs(network, torch.rand(1, 3, 32, 32)) == expected
    assert all(layer.kernel_size == (3, 3) for layer in layers(network))


def test_logits_are_the_mean_of_a_last_rectified_convolution() -> None:
    torch.manual_seed(0)
    network = ConvPool(width=0.1).build((3, 16, 16), 5).double()
    nn.init.normal_(layers(network)[3].bias)  # type: ignore[arg-type]
    x = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    h = x
    for number, layer in enumerate(layers(network), start=1):
        h = F.conv2d(F.pad(h, (1, 1, 1, 1)), layer.weight, layer.bias)
        h = torch.where(h > 0, h, 0.2 * h)
        if number in (2, 4, 6):
            h = (h[..., ::2, ::2] + h[..., 1::2, ::2] + h[..., ::2, 1::2] + h[..., 1::2, 1::2]) / 4
    logits = network(x)
    torch.testing.assert_close(logits, h.mean(dim=3).mean(dim=2), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(logits.sum(dim=1), torch.ones(4, dtype=torch.float64))


def test_initial_weights_are_normal_with_variance_2_over_fan_in() -> None:
    torch.manual_seed(0)
    for layer in layers(ConvPool().build((3, 32, 32), 10)):
        weight, n = layer.weight.detach(), layer.weight.numel()
        sigma = math.sqrt(2 / (9 * layer.in_channels))
        assert abs(float(weight.mean())) < 4 * sigma / math.sqrt(n)
        assert float(weight.std()) == pytest.approx(sigma, rel=4 / math.sqrt(2 * n))
        within = float((weight.abs() < sigma).float().mean())  # 0.577 were it uniform
        assert within == pytest.approx(0.6827, abs=4 * math.sqrt(0.22 / n))
        assert layer.bias is not None
        assert not layer.bias.any()


def test_initial_weights_come_from_the_seed() -> None:
    def first(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return layers(ConvPool(width=0.1).build((3, 8, 8), 2))[0].weight

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 16, 24), (4, 40, 8), (3, 64, 64)])
def test_any_sides_divisible_by_8_and_any_channels(shape: tuple[int, int, int]) -> None:
    network = ConvPool(width=0.1).build(shape, 7)
    assert network(torch.rand(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("width", [0.25, 0.5, 2])
def test_width_scales_every_layer_but_the_last(width: float) -> None:
    network = ConvPool(width=width).build((3, 8, 8), 10)
    found = [layer.out_channels for layer in layers(network)]
    assert found == [*(int(filters * width) for filters in FILTERS), 10]


def test_the_narrowest_network_keeps_one_filter() -> None:
    network = ConvPool(width=1e-6).build((1, 8, 8), 2)
    assert [layer.out_channels for layer in layers(network)] == [1] * 6 + [2]


@pytest.mark.parametrize("shape", [(3, 30, 32), (3, 32, 36), (1, 4, 4)])
def test_other_sides_are_refused_by_name(shape: tuple[int, int, int]) -> None:
    with pytest.raises(UserError, match=f"{shape[1]} x {shape[2]}.*--model"):
        ConvPool().build(shape, 10)


@pytest.mark.parametrize("width", [0, -1, 65])
def test_widths_that_make_no_network_are_refused(width: float) -> None:
    with pytest.raises(UserError, match=f"width {width} "):
        ConvPool(width=width)
