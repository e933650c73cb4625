"""The perturbation generator of Table 1, against the same written out by hand in float64."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from robench_defenses.generator import Generator

Array = NDArray[np.float64]
SHAPE, CLASSES = (3, 8, 12), 5


@pytest.fixture
def small() -> Generator:
    torch.manual_seed(0)
    generator = Generator(SHAPE, CLASSES, width=1 / 32).double()
    for parameter in generator.parameters():  # zero biases would hide a missing one
        nn.init.normal_(parameter, std=0.3)
    return generator


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    x = torch.rand(4, *SHAPE, dtype=torch.float64)
    return torch.randn_like(x), x, torch.tensor([0, 4, 2, 4])


def upsampled(x: Array, weight: Array, bias: Array) -> Array:
    """Return TensorFlow's 'same' stride-2 transposed convolution: zeros between, then convolve.

    `x` (n, inputs, h, w), `weight` (inputs, outputs, 3, 3); the result is (n, outputs, 2h, 2w).
    """
    n, _, h, w = x.shape
    stuffed = np.zeros((n, x.shape[1], 2 * h + 2, 2 * w + 2))  # two lines of padding in front
    stuffed[:, :, 2::2, 2::2] = x
    out = np.tile(bias[None, :, None, None], (n, 1, 2 * h, 2 * w))
    for i in range(3):
        for j in range(3):
            part = stuffed[:, :, 2 - i : 2 - i + 2 * h, 2 - j : 2 - j + 2 * w]
            out += np.einsum("nihw,io->nohw", part, weight[:, :, i, j])
    return out


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.2 * x)


def arrays(layer: nn.Module) -> tuple[Array, Array]:
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    assert isinstance(bias, Tensor)
    return weight.detach().numpy(), bias.detach().numpy()


def by_hand(generator: Generator, gradient: Tensor, x: Tensor, y: Tensor) -> Array:
    label = np.eye(CLASSES)[y.numpy()]

    def dense(h: Array, layer: nn.Module) -> Array:
        weight, bias = arrays(layer)
        return leaky(h @ weight.T + bias)

    def up(h: Array, layer: nn.Module) -> Array:
        maps = np.broadcast_to(label[:, :, None, None], (*label.shape, *h.shape[2:]))
        return leaky(upsampled(np.concatenate([h, maps], axis=1), *arrays(layer)))

    h = dense(label, generator.hidden)
    h = dense(np.concatenate([h, label], axis=1), generator.spread)
    h = h.reshape(len(y), -1, SHAPE[1] // 4, SHAPE[2] // 4)
    h = up(up(h, generator.up1), generator.up2)
    h = np.concatenate([h, gradient.numpy(), 2 * x.numpy() - 1], axis=1)
    mixed = torch.from_numpy(leaky(convolved(h, generator.mix)))
    return convolved(mixed.numpy(), generator.out)


def convolved(x: Array, layer: nn.Module) -> Array:
    weight, bias = (torch.from_numpy(array) for array in arrays(layer))
    return F.conv2d(F.pad(torch.from_numpy(x), (1, 1, 1, 1)), weight, bias).numpy()


def test_it_is_the_network_of_table_1(small: Generator) -> None:
    gradient, x, y = inputs()
    result = small(gradient, x, y)
    assert result.shape == x.shape
    np.testing.assert_allclose(result.detach().numpy(), by_hand(small, gradient, x, y), rtol=1e-10)


@pytest.mark.parametrize("classes", [10, 100])
def test_parameters_are_those_of_table_1(classes: int) -> None:
    table = [
        (classes + 1) * 1024,
        (1024 + classes + 1) * 8192,
        (128 + classes) * 9 * 128 + 128,
        (128 + classes) * 9 * 128 + 128,
        (128 + 3 + 3) * 9 * 128 + 128,
        128 * 9 * 3 + 3,
    ]
    generator = Generator((3, 32, 32), classes)
    assert [sum(p.numel() for p in layer.parameters()) for layer in generator.children()] == table


def test_feature_maps_are_those_of_table_1() -> None:
    generator, seen = Generator((3, 32, 32), 10), list[tuple[int, ...]]()
    for layer in generator.children():
        layer.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape[1:])))
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        generator(x, x, torch.tensor([3]))
    assert seen == [(10,), (1034,), (138, 8, 8), (138, 16, 16), (134, 32, 32), (128, 32, 32)]


def test_initial_weights_are_those_of_the_published_code() -> None:
    torch.manual_seed(0)
    generator = Generator((3, 32, 32), 10)
    fans = {"hidden": 10, "spread": 1034, "up1": 1152, "up2": 1152, "mix": 134 * 9, "out": 1152}
    for name, fan_in in fans.items():
        layer = generator.get_submodule(name)
        weight, bias = arrays(layer)
        error = 4 / math.sqrt(2 * weight.size)
        assert weight.std() == pytest.approx(math.sqrt(2 / fan_in), rel=error)
        assert not bias.any()


def test_there_is_no_noise(small: Generator) -> None:
    first, second = small(*inputs()), small(*inputs())
    assert torch.equal(first, second)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_every_input_matters(small: Generator, which: int) -> None:
    before, changed = inputs(), list(inputs())
    changed[which] = (changed[which] + 1) % CLASSES
    assert not torch.allclose(small(*before), small(*changed))


def test_width_scales_every_layer() -> None:
    full, half = Generator((3, 32, 32), 10), Generator((3, 32, 32), 10, width=0.5)
    outputs = [len(arrays(layer)[1]) for layer in full.children()]
    assert [len(arrays(layer)[1]) for layer in half.children()] == [
        *(output // 2 for output in outputs[:-1]),
        outputs[-1],
    ]
