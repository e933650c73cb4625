"""The least time that passes through a network can take here: what no attack can undercut."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robench.benchmarking.passes import Kind
from robench.records import Precision
from robench.stopwatch import Stopwatch

SIZES = {"cpu": (16, 32, 64, 128), "cuda": (256, 1024, 4096)}
"""Batches that are tried, by type of device; others as cuda."""
LEAST = 0.05
"""Seconds for which a pass is repeated, at least three times; the fastest counts."""


@dataclass(frozen=True)
class Pass:
    """The fastest way found to send samples one way through the network."""

    way: str
    """`forward`, or `backward`: what a gradient for the images adds to that."""
    precision: str
    seconds: float
    """A sample."""
    batch_size: int
    layout: str
    """`channels-last` or `contiguous`."""


def measure(network: nn.Module, x: Tensor, precisions: Sequence[Precision]) -> list[Pass]:
    """Return the fastest forward and backward pass of each precision.

    `network`: in evaluation mode, weights frozen. `x`: images (n, channels, height, width), to be
    repeated where a batch takes more.
    """
    return fastest(
        *(
            _tried(network, x, precision, layout)
            for precision in precisions
            for layout in ("channels-last", "contiguous")
        )
    )


def fastest(*measured: Sequence[Pass]) -> list[Pass]:
    """Return the fastest pass of every kind out of several measurements: others were disturbed."""
    best: dict[Kind, Pass] = {}
    for one in (one for passes in measured for one in passes):
        known = best.setdefault((one.way, one.precision), one)
        if one.seconds < known.seconds:
            best[one.way, one.precision] = one
    return list(best.values())


def floor(passes: Mapping[Kind, float], floors: Sequence[Pass]) -> float | None:
    """Return the least seconds that so many samples of each kind take; None if one is unknown."""
    known = {(one.way, one.precision): one.seconds for one in floors}
    needed = {kind: count for kind, count in passes.items() if count}
    if set(needed) - set(known):
        return None
    return math.fsum(count * known[kind] for kind, count in needed.items())


def _tried(network: nn.Module, x: Tensor, precision: Precision, layout: str) -> list[Pass]:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    form = torch.channels_last if layout == "channels-last" else torch.contiguous_format
    own = copy.deepcopy(network).to(dtype=dtype, memory_format=form)  # type: ignore[call-overload]
    found = []
    for size in SIZES.get(x.device.type, SIZES["cuda"]):
        rows = torch.arange(size, device=x.device) % len(x)
        batch = x[rows].to(dtype=dtype, memory_format=form)
        forward = _fastest(lambda b=batch: _forward(own, b), x.device) / size  # type: ignore[misc]
        both = _fastest(lambda b=batch: _both(own, b), x.device) / size  # type: ignore[misc]
        back = max(0.0, both - forward)
        found += [
            Pass("forward", precision, forward, size, layout),
            Pass("backward", precision, back, size, layout),
        ]
    return found


@torch.no_grad()
def _forward(network: nn.Module, x: Tensor) -> None:
    network(x)


def _both(network: nn.Module, x: Tensor) -> None:
    leaf = x.detach().requires_grad_()
    logits = network(leaf)
    torch.autograd.grad(logits, leaf, torch.ones_like(logits))


def _fastest(call: Callable[[], None], device: torch.device) -> float:
    """Return the seconds of the fastest of several calls, after one that is not counted."""
    call()
    clock, best, spent, calls = Stopwatch(device), float("inf"), 0.0, 0
    while spent < LEAST or calls < 3:
        clock.start()
        call()
        took = clock.seconds()
        best, spent, calls = min(best, took), spent + took, calls + 1
    return best
