"""Which kernels run: repeatable ones on request, compiled ones where they are faster."""

import logging
import os
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tiny
from robench import compiling
from robench.compiling import Compiled, compiled
from robench.errors import RunFailed
from robench.gradient import image_gradient, loss_gradient
from robench.kernels import FREE, WORKSPACE, Kernels
from robench.models.convpool import ConvPool
from robench.runs import read_run

CPU = torch.device("cpu")


def settings() -> tuple[bool, bool]:
    """Return what `chosen` sets."""
    return torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("deterministic", [False, True])
def test_settings_hold_inside_alone(deterministic: bool) -> None:
    before, told = settings(), os.environ.get(WORKSPACE[0])
    with suppress(ZeroDivisionError), Kernels(deterministic).chosen(CPU):
        assert settings() == (not deterministic, deterministic)
        raise ZeroDivisionError
    assert settings() == before
    assert os.environ.get(WORKSPACE[0]) == told  # a CPU has no use for it


def test_operation_without_deterministic_kernel_is_named() -> None:
    says = r"--deterministic: .*put_.*leave it out"
    with pytest.raises(RunFailed, match=says), Kernels(deterministic=True).chosen(CPU):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2), accumulate=False)
    with pytest.raises(RuntimeError, match="deterministic"), FREE.chosen(CPU):
        raise RuntimeError("not deterministic")


def test_the_record_says_what_was_asked_for(tints: Path, tmp_path: Path) -> None:
    for name, extra in (("plain", []), ("repeated", ["--deterministic"])):
        runs = tmp_path / name
        words = tiny.options(tints, runs, rung=0)
        done = tiny.robench("train", "--defense", "pgn", *words, *extra, "--set", GENERATOR)
        assert done.code == 0, done.err
    plain, repeated = (
        read_run(next((tmp_path / name).glob("*/DONE")).parent) for name in ("plain", "repeated")
    )
    assert plain.key == repeated.key
    assert plain.final.sha256 == repeated.final.sha256
    assert repeated.environment["deterministic"] == "yes"
    assert "deterministic" not in plain.environment


GENERATOR = "generator_width=0.05"


@pytest.fixture
def network() -> nn.Module:
    """Return a small ConvPool-CNN."""
    torch.manual_seed(0)
    return ConvPool(width=0.1).build((3, 8, 8), 3)


class Traced(Compiled):
    """Compiled by torch's tracer alone, which needs no C++ compiler."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        super().__init__(network, device)
        self.fast = torch.compile(network, backend="aot_eager", dynamic=False)


def test_compiled_network_gives_the_network_s_gradients(network: nn.Module) -> None:
    made, x, y = Traced(network, CPU), torch.rand(4, 3, 8, 8), torch.arange(4) % 3
    weights = list(network.parameters())

    def slopes(called: nn.Module) -> list[Tensor]:
        first = loss_gradient(called, x, y, through=False)
        twice = loss_gradient(called, x, y, through=True)
        loss = F.cross_entropy(called(x + first), y) + twice.square().sum()
        return [first, twice, *torch.autograd.grad(loss, weights)]

    for own, other in zip(slopes(made), slopes(network), strict=True):
        torch.testing.assert_close(own, other)
    assert all(weight.requires_grad for weight in weights)


def test_gradients_of_images_alone_compute_no_others(network: nn.Module) -> None:
    seen = []

    class Watching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(next(network.parameters()).requires_grad)
            out: Tensor = network(x)
            return out

    made = Traced(network, CPU)
    made.fast = Watching()
    x = torch.rand(2, 3, 8, 8)
    image_gradient(made, x, Tensor.sum, through=False)
    made(x)
    assert seen == [False, True]
    image_gradient(made, x, Tensor.sum, through=True)
    assert len(seen) == 2  # not differentiated twice by what is compiled


def test_what_cannot_be_compiled_is_logged_and_left(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(network: nn.Module, **_: object) -> nn.Module:
        raise OSError("no compiler\nhere")

    monkeypatch.setattr(torch, "compile", fails)
    with caplog.at_level(logging.WARNING):
        made, seconds = compiled(network, [torch.rand(2, 3, 8, 8)])
    assert made is network
    assert seconds >= 0
    assert caplog.messages == [
        "torch.compile failed, training goes on without it: no compiler here"
    ]


def test_rehearsing_leaves_batch_statistics_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "Compiled", Traced)
    norm = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(3))
    x = torch.rand(4, 3, 8, 8)
    norm(x)
    before = [buffer.clone() for buffer in norm.buffers()]
    compiled(norm, [x])
    for buffer, kept in zip(norm.buffers(), before, strict=True):
        assert torch.equal(buffer, kept)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_only_what_is_faster_is_used(
    ratio: float,
    network: nn.Module,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(compiling, "Compiled", Traced)
    times = iter([ratio, 1.0])
    monkeypatch.setattr(compiling, "_seconds", lambda *_: next(times))
    with caplog.at_level(logging.INFO):
        made, _ = compiled(network, [torch.rand(n, 3, 8, 8) for n in (4, 3)])
    assert (made is network) == (ratio > 1)
    assert f"{ratio:.2f} times as long" in caplog.text


def test_training_asks_for_it_and_comes_to_the_same_end(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "Compiled", Traced)
    times = iter([1.0, 2.0])
    monkeypatch.setattr(compiling, "_seconds", lambda *_: next(times))
    words = tiny.options(tints, tmp_path / "compiled", precision="float32")
    done = tiny.robench("train", "--defense", "fgm", "--compile", *words)
    assert done.code == 0, done.err
    run = read_run(next((tmp_path / "compiled").glob("*/DONE")).parent)
    plain = tiny.trained("fgm", tints, tmp_path / "plain", precision="float32", rung=0.005)
    assert run.environment["compile"] == "yes"
    assert run.history[0].loss == pytest.approx(plain.history[0].loss, rel=1e-6)
