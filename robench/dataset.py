"""The contract of a data set: a dataclass whose `load` returns plain arrays."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Images:
    """Training and test images as they lie on disk, decoded.

    `train_x`, `test_x`: uint8 (n, channels, height, width). `train_y`, `test_y`: int64 (n,).
    `classes`: the name of each label.
    """

    train_x: NDArray[np.uint8]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.uint8]
    test_y: NDArray[np.int64]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Dataset(ABC):
    """A source of images. Fields are settings (`--set dataset.field=value`)."""

    flip: bool = True
    """Mirror training images left to right at random."""
    pad: int = 4
    """Shift training images by up to this many pixels: reflect-pad, then crop at random."""

    @abstractmethod
    def load(self, directory: Path | None, cache: Path) -> Images:
        """Read the images under `directory` (`--data-dir`, None where it was not given).

        What is costly to decode may be kept in the folder `cache`, which may not exist yet.
        """

    def found(self, directory: Path | None, cache: Path) -> bool | None:
        """Tell, at little cost, whether `load` would find the images here; None: cannot tell."""
        return None
