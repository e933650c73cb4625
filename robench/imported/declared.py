"""A classifier as it was declared: images in [0, 1] go in, what it wants is done inside."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robench.errors import UserError


class Declared(nn.Module):
    """Normalises images by a declared mean and deviation, then shows them to a network."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take one mean and one deviation a channel, or none where the network needs none."""
        super().__init__()
        self.network, self.normalises = network, bool(mean)
        if mean:
            self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
            self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, channels, height, width) in [0, 1]."""
        x = x.contiguous()  # a network with `view` in it takes no other order of memory
        return self.network((x - self.mean) / self.std if self.normalises else x)


def check_normalisation(mean: Sequence[float], std: Sequence[float], channels: int) -> None:
    """Raise UserError unless there is a mean and a deviation above 0 for each channel, or none."""
    if len(mean) != len(std) or len(mean) not in (0, channels):
        raise UserError(
            f"--mean has {len(mean)} values and --std {len(std)}; the images have {channels} "
            "channels: give as many of both, separated by commas, or none"
        )
    if not all(abs(one) < 1e6 for one in (*mean, *std)) or not all(one > 1e-6 for one in std):
        raise UserError(
            f"--mean {_list(mean)} --std {_list(std)}: wanted finite means and deviations above 0, "
            "of images in [0, 1]; values of images in [0, 255] are 255 times as large"
        )


def _list(values: Sequence[float]) -> str:
    return ",".join(f"{one:g}" for one in values)
