"""PreAct-ResNet-18 and wide residual networks: sizes, layers, layouts, and training on them."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tiny
from robench.architecture import Architecture
from robench.errors import UserError
from robench.models.preact_resnet import PreActResNet18
from robench.models.preactivation import PreActivationNetwork
from robench.models.wide_resnet import WideResNet
from robench.runs import RunFolder

SMALL: list[Architecture] = [PreActResNet18(width=0.1), WideResNet(depth=10, width=0.5)]
small = pytest.mark.parametrize("architecture", SMALL, ids=["preact", "wide"])


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def made(architecture: Architecture) -> nn.Module:
    torch.manual_seed(0)
    return architecture.build((3, 16, 16), 5)


@pytest.mark.parametrize(
    ("architecture", "millions"),
    [
        (PreActResNet18(), 11.17),
        (WideResNet(), 36.48),  # 36.5 in the paper, as those below
        (WideResNet(depth=16, width=8), 10.96),
        (WideResNet(depth=40, width=4), 8.95),
        (WideResNet(depth=40, width=1), 0.56),
    ],
)
def test_parameters_are_those_of_the_papers(architecture: Architecture, millions: float) -> None:
    with torch.device("meta"):
        network = architecture.build((3, 32, 32), 10)
    assert count(network) / 1e6 == pytest.approx(millions, abs=0.005)


def plain(network: PreActivationNetwork, x: Tensor) -> Tensor:
    """Return the logits, by the papers' text: normalise, rectify, convolve; add."""
    weights = dict(network.named_parameters())

    def rectified(h: Tensor, name: str) -> Tensor:
        mean, variance = h.mean((0, 2, 3)), h.var((0, 2, 3), unbiased=False)
        scaled = (h - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        scale, shift = (weights[f"{name}.{key}"][:, None, None] for key in ("weight", "bias"))
        return (scaled * scale + shift).clamp_min(0)

    h = F.conv2d((x - 0.5) / 0.25, weights["first.weight"], padding=1)
    for number in range(len(network.blocks)):
        own, before = f"blocks.{number}", h
        h = rectified(h, f"{own}.norm1")
        stride = 1
        if (short := weights.get(f"{own}.shortcut.weight")) is not None:
            stride = 1 if number == 0 else 2
            before = F.conv2d(h, short, stride=stride)
        h = F.conv2d(h, weights[f"{own}.conv1.weight"], stride=stride, padding=1)
        h = F.conv2d(rectified(h, f"{own}.norm2"), weights[f"{own}.conv2.weight"], padding=1)
        h = h + before
    return rectified(h, "norm").mean((2, 3)) @ weights["last.weight"].T + weights["last.bias"]


@small
def test_logits_are_those_written_out(architecture: Architecture) -> None:
    network = made(architecture).double()
    assert isinstance(network, PreActivationNetwork)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
    x = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(network(x), plain(network, x), rtol=1e-9, atol=1e-9)


def test_stages_halve_the_sides_and_have_the_papers_filters() -> None:
    for architecture, expected in (
        (PreActResNet18(), [(64, 32)] * 2 + [(128, 16)] * 2 + [(256, 8)] * 2 + [(512, 4)] * 2),
        (WideResNet(), [(160, 32)] * 4 + [(320, 16)] * 4 + [(640, 8)] * 4),
    ):
        with torch.device("meta"):
            network = architecture.build((3, 32, 32), 10)
            assert isinstance(network, PreActivationNetwork)
            h, found = network.first(torch.rand(1, 3, 32, 32)), []
            for block in network.blocks:
                h = block(h)
                found.append((h.shape[1], h.shape[2]))
        assert found == expected


def test_initial_weights_are_normal_with_variance_2_over_fan_out() -> None:
    torch.manual_seed(0)
    for layer in PreActResNet18().build((3, 32, 32), 10).modules():
        if isinstance(layer, nn.Conv2d):
            n = layer.weight.numel()
            sigma = math.sqrt(2 / (layer.out_channels * layer.kernel_size[0] ** 2))
            found = float(layer.weight.detach().std())
            assert found == pytest.approx(sigma, rel=4 / math.sqrt(2 * n))
            assert layer.bias is None


@small
def test_images_stay_channels_last_and_bf16_is_near(architecture: Architecture) -> None:
    network = made(architecture).to(memory_format=torch.channels_last).eval()
    seen: list[Tensor] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, out: seen.append(out))
    x = torch.rand(4, 3, 16, 16)
    with torch.no_grad():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            near = network(x)
    assert all(out.is_contiguous(memory_format=torch.channels_last) for out in seen)
    assert seen[-1].dtype == torch.bfloat16
    torch.testing.assert_close(near.float(), exact, rtol=0.05, atol=0.05)


@small
def test_averages_and_resuming_keep_the_statistics(
    architecture: Architecture, tmp_path: Path
) -> None:
    data = tiny.folder(tmp_path / "data", train=8, test=4, size=16)
    own = {"model.width": 0.1} | ({"model.depth": 10} if "depth" in vars(architecture) else {})
    name = "wide-resnet" if "model.depth" in own else "preact-resnet18"
    request = {"model": name, "settings": own, "epochs": 2, "batch_size": 8}
    whole = tiny.planned("pgd", data, tmp_path / "whole", **request)
    tiny.epochs(whole)
    next(tiny.stepwise(tiny.planned("pgd", data, tmp_path / "parts", **copy.copy(request))))
    parts = tiny.planned("pgd", data, tmp_path / "parts", **request)
    assert len(tiny.epochs(parts)) == 1
    found, expected = (RunFolder(one.root / one.spec.key).final for one in (parts, whole))
    assert found.read_bytes() == expected.read_bytes()
    assert b"norm.running_mean" in found.read_bytes()


@pytest.mark.parametrize(
    ("architecture", "side", "named"),
    [
        (PreActResNet18(), 15, "preact-resnet18 needs image sides of 16 or more.*15 x 32"),
        (WideResNet(), 7, "wide-resnet needs image sides of 8 or more.*7 x 32"),
    ],
)
def test_images_too_small_are_refused(architecture: Architecture, side: int, named: str) -> None:
    with pytest.raises(UserError, match=named):
        architecture.build((3, side, 32), 10)


@pytest.mark.parametrize("depth", [4, 9, 27, 29])
def test_depths_that_make_no_network_are_refused(depth: int) -> None:
    with pytest.raises(UserError, match=f"depth {depth} is not of 10, 16"):
        WideResNet(depth=depth)


@pytest.mark.parametrize("width", [0, -1, 65])
def test_widths_that_make_no_network_are_refused(width: float) -> None:
    for kind in (PreActResNet18, WideResNet):
        with pytest.raises(UserError, match=f"width {width} "):
            kind(width=width)


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 17, 30), (4, 40, 16)])
@small
def test_other_sides_and_channels(architecture: Architecture, shape: tuple[int, int, int]) -> None:
    assert architecture.build(shape, 7)(torch.rand(2, *shape)).shape == (2, 7)
