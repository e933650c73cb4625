"""Flip, reflect-pad and crop a whole batch at once, each image its own way."""

import torch
from torch import Tensor

from robench.data import Data

WHOLE = slice(None)


def augmented(
    data: Data,
    index: Tensor,
    generator: torch.Generator | None = None,
    part: slice = WHOLE,
) -> Tensor:
    """Return training images `index` (n,) as floats (n, channels, height, width) in [0, 1].

    Each is mirrored with probability 1/2 where `data.flip`, then padded by reflection by
    `data.pad` pixels and cropped to its size at a random place. One gather does all of it.

    `part` of them are returned, as they would be among all: whoever draws from a `generator` in
    the same state sees the same images. None draws from torch's own.
    """
    height, width = data.train.x.shape[1:3]
    count, device, pad = len(index), index.device, data.pad
    rows = _window(count, height, pad, device, generator)
    columns = _window(count, width, pad, device, generator)
    if data.flip:  # mirrored before it is shifted
        mirrored = torch.rand(count, 1, device=device, generator=generator) < 0.5
        columns = torch.where(mirrored, width - 1 - columns, columns)
    index, rows, columns = index[part], rows[part], columns[part]
    picked = data.train.x[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2).float().div_(255)


def _window(
    count: int, size: int, pad: int, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Return, per image, which of `size` source lines lands where: (count, size)."""
    offset = torch.randint(-pad, pad + 1, (count, 1), device=device, generator=generator)
    line = torch.arange(size, device=device) + offset
    return (size - 1) - ((size - 1) - line.abs()).abs()  # reflected at both edges
