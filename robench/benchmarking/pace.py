"""The time of one pass of each kind through a network, at a batch size, on a device."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from statistics import median

import torch
from torch import Tensor, nn

from robench.benchmarking.watch import Call, Way
from robench.second_order import SecondOrder
from robench.stopwatch import Stopwatch
from robench.training import autocast

REPEATS = 3
"""Times that a pass is run, after one that is not counted; the median counts."""
Pace = Mapping[tuple[str, Way], float]
"""Seconds of a pass, by network and way."""


def pace(networks: Mapping[str, nn.Module], calls: Mapping[str, Call], precision: str) -> Pace:
    """Return the seconds of every kind of pass through `networks`, called as in training.

    `calls`: arguments of each; gradients for inputs are those for the arguments that ask for one.
    `precision`: bf16 runs under autocast, as training does, weights in float32. What a
    backward pass adds to the forward pass before it is taken as its time.
    """
    found: dict[tuple[str, Way], float] = {}
    for name, network in networks.items():
        times = _times(network, calls[name], precision)
        found |= {(name, way): seconds for way, seconds in times.items()}
    return found


def _times(network: nn.Module, call: Call, precision: str) -> dict[Way, float]:
    device = next(network.parameters()).device
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    asked = [one for one in call if isinstance(one, Tensor) and one.requires_grad]
    slopes = [torch.ones_like(one) for one in asked]

    def back(targets: Sequence[Tensor], *, keep: bool) -> tuple[Tensor, ...]:
        with SecondOrder() if keep else nullcontext():
            out = network(*call)
        # Positive curvature, as a loss has: the way back through a gradient is walked in full.
        score = (out.square() if keep else out).sum()
        return torch.autograd.grad(score, targets, create_graph=keep)

    def twice() -> None:
        torch.autograd.grad(back(asked, keep=True), weights, slopes)

    def timed(run: Callable[[], object]) -> float:
        with autocast(device, precision):
            return _median(run, device)

    forward = timed(lambda: network(*call))
    times: dict[Way, float] = {"forward": forward}
    if weights:
        times["weights"] = timed(lambda: back(weights, keep=False)) - forward
    if asked:
        times["inputs"] = timed(lambda: back(asked, keep=False)) - forward
    if weights and asked:
        times["through"] = timed(twice) - sum(times.values())
    return times


def _median(run: Callable[[], object], device: torch.device) -> float:
    run()
    clock, taken = Stopwatch(device), []
    for _ in range(REPEATS):
        clock.start()
        run()
        torch.clear_autocast_cache()
        taken.append(clock.seconds())
    return median(taken)
