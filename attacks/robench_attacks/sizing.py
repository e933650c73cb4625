"""How many images a network is best attacked with at once, from what one image costs in memory."""

from collections.abc import Callable

import torch
from torch import Tensor

SHARE = 0.25
"""Of a GPU's memory that a batch may take; not of what is free, which another run may change."""
ON_CPU = 192 * 2**20
"""Bytes that a batch may take on a CPU."""
FEWEST = 8
MOST = {"cpu": 64, "cuda": 4096}
"""On a CPU more at once run no faster: ConvPool-CNN takes the same time an image from 32 up."""


def lanes_for(logits: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """Return a batch size, a power of two, for images like `x`, (n, ...), on its device.

    Found by one forward pass of one image: what is kept for its backward pass is the cost of an
    image. The same network and images get the same batch on the same kind of device.
    """
    if not len(x):
        return FEWEST
    fits = _room(x.device) / max(1, _kept(logits, x[:1]))
    lanes = FEWEST
    while lanes * 2 <= min(fits, MOST[x.device.type]):
        lanes *= 2
    return lanes


def _room(device: torch.device) -> float:
    if device.type == "cuda":
        return SHARE * torch.cuda.get_device_properties(device).total_memory
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
