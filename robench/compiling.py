"""A network compiled by torch, where that gains; otherwise the network as it is."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.gradient import frozen, loss_gradient, sought
from robench.stopwatch import Stopwatch

log = logging.getLogger(__name__)
TRIALS = 3
"""Times that each network is timed; the fastest counts."""


class Compiled(nn.Module):
    """Calls a compiled network, and the network itself where a gradient is kept for a second one.

    torch's compiler does not differentiate twice. On a GPU the compiled passes are CUDA graphs.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.network = network
        mode = "reduce-overhead" if device.type == "cuda" else "default"
        self.fast = torch.compile(network, mode=mode, dynamic=False)

    def begin_step(self) -> None:
        """Let go of what the last step's passes returned: CUDA graphs write it anew."""
        torch.compiler.cudagraph_mark_step_begin()

    def forward(self, x: Tensor) -> Tensor:
        """Return the network's logits."""
        purpose = sought()
        called = self.network if purpose == "through" else self.fast
        # What is compiled computes all gradients that it may be asked for.
        with frozen(self.network) if purpose == "images" else nullcontext():
            logits: Tensor = called(x)
        return logits


def compiled(network: nn.Module, batches: Sequence[Tensor]) -> tuple[nn.Module, float]:
    """Return what passes fastest: `network` compiled, or `network`; and the seconds that it took.

    `batches`: images of every size that will be passed, the usual one first; each is passed, once,
    in all ways that training knows. Call it in the precision of the training. What fails, for
    whatever reason, is logged as a warning and not used; so is what is no faster.
    """
    clock = Stopwatch(batches[0].device)
    clock.start()
    buffers = [buffer.clone() for buffer in network.buffers()]
    try:
        made = Compiled(network, batches[0].device)
        for x in batches:
            _rehearse(made, x)
        times = [_seconds(one, batches[0]) for one in (made, network)]
    except Exception as error:  # a compiler, a driver, a kernel: anything may be missing
        reason = " ".join(str(error).split())[:200]
        log.warning("torch.compile failed, training goes on without it: %s", reason)
        return network, clock.seconds()
    finally:
        for buffer, before in zip(network.buffers(), buffers, strict=True):
            buffer.copy_(before)  # batch statistics: the rehearsal is no training
    ratio, spent = times[0] / times[1], clock.seconds()
    if ratio >= 1:
        log.warning("compiled, a step takes %.2f times as long: training goes on without", ratio)
        return network, spent
    log.info("compiled in %.0f s, a step takes %.2f times as long", spent, ratio)
    return made, spent


def _rehearse(called: nn.Module, x: Tensor) -> None:
    """Make the passes of a step: gradients for the images alone, for the weights, for both."""
    weights = list(called.parameters())
    y = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    if isinstance(called, Compiled):
        called.begin_step()
    moved = loss_gradient(called, x, y, through=False).requires_grad_()
    torch.autograd.grad(F.cross_entropy(called(x), y), weights)
    torch.autograd.grad(F.cross_entropy(called(moved), y), [*weights, moved])
    torch.clear_autocast_cache()


def _seconds(called: nn.Module, x: Tensor) -> float:
    clock, taken = Stopwatch(x.device), []
    for _ in range(TRIALS):
        clock.start()
        _rehearse(called, x)
        taken.append(clock.seconds())
    return min(taken)
