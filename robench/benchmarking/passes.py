"""Counting the samples that pass through a network, forward and backward, by precision."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _functorch

Kind = tuple[str, str]
"""`forward` or `backward`, and `bf16` or `float32`."""
KINDS: tuple[Kind, ...] = tuple(
    (way, precision) for way in ("forward", "backward") for precision in ("float32", "bf16")
)


@dataclass(eq=False)
class Tally:
    """Samples that passed, by kind."""

    samples: Counter[Kind] = field(default_factory=Counter)

    def __deepcopy__(self, memory: dict[int, Any]) -> "Tally":
        """Return itself: copies of a counted network, in another precision say, count here too."""
        return self

    def per_image(self, images: int) -> dict[Kind, float]:
        """Return the samples of every kind for each of `images`."""
        return {kind: self.samples[kind] / images for kind in KINDS}


class Counted(nn.Module):
    """A network whose passes are counted. Its weights, and so its results, are the network's.

    A backward pass counts where gradient reaches the logits: one pass of a batch for a single
    class of ten costs, and counts, as much as for the loss. Gradients batched by
    `torch.func.vmap` count each for itself. What replays a recorded graph is not seen.
    """

    def __init__(self, network: nn.Module, tally: Tally) -> None:
        super().__init__()
        self.network = network
        self.tally = tally

    def forward(self, x: Tensor) -> Tensor:
        """Return the network's logits."""
        precision = _precision(x)
        self.tally.samples["forward", precision] += _samples(x, x.shape[1:].numel())
        logits: Tensor = self.network(x)
        if logits.requires_grad:
            width, tally = logits.shape[1:].numel(), self.tally

            def count(slope: Tensor) -> None:
                tally.samples["backward", precision] += _samples(slope, width)

            logits.register_hook(count)
        return logits


def _precision(x: Tensor) -> str:
    kind = x.device.type
    cast = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16
    return "bf16" if cast or x.dtype == torch.bfloat16 else "float32"


def _samples(batch: Tensor, width: int) -> int:
    """Return how many rows of `width` numbers a tensor holds, those that vmap hides included."""
    while _functorch.is_functorch_wrapped_tensor(batch):
        batch = _functorch.get_unwrapped(batch)
    if _functorch.is_legacy_batchedtensor(batch):  # what autograd.grad(is_grads_batched=True) uses
        level = torch._C._vmapmode_increment_nesting() - 1
        torch._C._vmapmode_decrement_nesting()
        batch = torch._remove_batch_dim(batch, level, 0, 0)
    return batch.numel() // width
