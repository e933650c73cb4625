"""Images made up for trying plugins out: small, and learnt within a few steps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robench import data
from robench.data import Data
from robench.dataset import Dataset, Images

TEST = 20
"""Images of the test split."""


@dataclass(frozen=True)
class Synthetic(Dataset):
    """A pattern of its own for each class, under noise."""

    flip: bool = False
    pad: int = 1
    channels: int = 1
    side: int = 8
    classes: int = 3
    count: int = 48
    """Training images."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images, the same every time; neither folder is used."""
        draw = np.random.default_rng(0)
        patterns = draw.uniform(60, 195, (self.classes, self.channels, self.side, self.side))

        def drawn(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
            labels = np.arange(count, dtype=np.int64) % self.classes
            noise = draw.uniform(-60, 60, (count, *patterns.shape[1:]))
            return (patterns[labels] + noise).astype(np.uint8), labels

        names = tuple(f"class {number}" for number in range(self.classes))
        return Images(*drawn(self.count), *drawn(TEST), names)


def synthetic(images: Synthetic, device: torch.device) -> Data:
    """Return the images on a device, nothing held out."""
    return data.load(images, "synthetic", None, Path(), device, validation=0)
