"""Data sets each wrong in one way, which a check of `robench check` is there to catch."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robench.dataset import Dataset, Images

_calls = itertools.count()
"""What a plugin keeps outside its objects, and should not."""


def drawn(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images of noise, and labels of two classes in turn."""
    x = np.random.default_rng(seed).integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)
    return x, np.arange(count, dtype=np.int64) % 2


@dataclass(frozen=True)
class Good(Dataset):
    """Noise of two classes: nothing is wrong with it."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images."""
        return Images(*drawn(40, 0), *drawn(20, 1), ("a", "b"))


@dataclass(frozen=True)
class Floats(Good):
    """Returns floats."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return images of another type."""
        x, y = drawn(40, 0)
        return Images((x / 255).astype(np.float32), y, *drawn(20, 1), ("a", "b"))


@dataclass(frozen=True)
class Denying(Good):
    """Says that its images are nowhere after it loaded them."""

    def found(self, directory: Path | None, cache: Path) -> bool | None:
        """Return None at first, then False."""
        return None if self.__dict__.setdefault("asked", []) == [] and self._note() else False

    def _note(self) -> bool:
        self.__dict__["asked"].append(True)
        return True


@dataclass(frozen=True)
class Restless(Good):
    """Loads other images each time."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the next images."""
        return Images(*drawn(40, 100 + next(_calls)), *drawn(20, 1), ("a", "b"))


@dataclass(frozen=True)
class Namesakes(Good):
    """Calls two classes by one name."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images."""
        return Images(*drawn(40, 0), *drawn(20, 1), ("a", "a"))


@dataclass(frozen=True)
class Absent(Good):
    """Has a class without images."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images of two classes of three."""
        return Images(*drawn(40, 0), *drawn(20, 1), ("a", "b", "c"))


@dataclass(frozen=True)
class Repeating(Good):
    """Tests on what it trains on."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the training images twice."""
        return Images(*drawn(40, 0), *drawn(40, 0), ("a", "b"))
