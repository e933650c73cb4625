"""Random numbers of each image's own: the same whatever images and batches are beside it."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from robench_attacks.gradient import unit

GRID = 1000
"""Parts of the pixels' range that tell images apart: one that was scaled and back is the same."""
MASK = 2**63 - 1


class Draws:
    """One generator for each image, seeded by torch's seed and the image."""

    def __init__(self, x: Tensor) -> None:
        """Begin anew for `x`, (n, channels, height, width) in [0, 1]; torch's own draws go on."""
        seed, self._shape = torch.initial_seed(), tuple(x.shape[1:])
        self._like = x[:0]
        self._generators = [torch.Generator(x.device) for _ in x]
        for generator, image in zip(
            self._generators, (x * GRID).round().short().cpu(), strict=True
        ):
            content = image.contiguous().numpy().tobytes() + seed.to_bytes(
                8, "little", signed=False
            )
            generator.manual_seed(int.from_bytes(hashlib.sha256(content).digest()[:8]) & MASK)

    def directions(self, rows: Sequence[int], count: int) -> Tensor:
        """Return directions of L2 norm 1, uniform on the sphere, (rows, count, ...)."""
        drawn = self._like.new_empty((len(rows), count, *self._shape))
        for one, row in zip(drawn, rows, strict=True):
            one.normal_(generator=self._generators[row])
        return unit(drawn.flatten(0, 1)).view_as(drawn)

    def starts(self, rows: Sequence[int], side: int) -> Tensor:
        """Return images of squares of `side` pixels, uniform colours in the box, (rows, ...)."""
        channels, height, width = self._shape
        shape = (len(rows), channels, -(-height // side), -(-width // side))
        drawn = self._like.new_empty(shape)
        for one, row in zip(drawn, rows, strict=True):
            one.uniform_(generator=self._generators[row])
        grown = drawn.repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)
        return grown[..., :height, :width]
