"""How many images a network is best attacked with at once, from what one image costs in memory."""

from collections.abc import Callable

import torch
from torch import Tensor

SHARE = 0.25
"""Of a GPU's free memory that a batch may take."""
ON_CPU = 64 * 2**20
"""Bytes that a batch may take on a CPU. More images at once do not run faster there: from 32 up,
ConvPool-CNN at width 0.25 takes the same time an image, within a tenth."""
FEWEST, MOST = 8, 4096


def lanes_for(logits: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """Return a batch size, a power of two, for images like `x`, (n, ...), on its device.

    Found by one forward pass of one image: what is kept for its backward pass is the cost of an
    image. The same network and images get the same batch on the same kind of CPU.
    """
    if not len(x):
        return FEWEST
    fits = _room(x.device) / max(1, _kept(logits, x[:1]))
    lanes = FEWEST
    while lanes * 2 <= min(fits, MOST):
        lanes *= 2
    return lanes


def _room(device: torch.device) -> float:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return SHARE * free
    return ON_CPU


def _kept(logits: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """Return the bytes that a forward pass of `x` keeps, each tensor counted once."""
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if not tensor.is_leaf:  # a leaf is the image or a weight
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
        scores = logits(x.detach().requires_grad_())
    del scores
    return sum(sizes.values())
