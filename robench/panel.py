"""The test images that attacks are run on: the same for every checkpoint, known by their hash."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robench.data import Data, balanced, mixed
from robench.errors import UserError

PART_SEED = 0
"""Decides which images a part of a panel is of."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Test images: `index` in the test set, `x` float32 (n, channels, height, width), `y` int64."""

    index: NDArray[np.int64]
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    hash: str

    def __len__(self) -> int:
        return len(self.y)

    def part(self, count: int | None) -> "Panel":
        """Return `count` images as a panel of their own; all of them for None.

        Every class as often as its share: a data set may list its images by class.
        """
        if count is None or count >= len(self):
            return self
        return self.at(balanced(self.y, count, PART_SEED))

    def beginning(self, count: int) -> NDArray[np.int64]:
        """Return where the first images of a mixed order stand in the test set; `part` has them."""
        return self.index[mixed(self.y, PART_SEED)[:count]]

    def at(self, places: NDArray[np.int64]) -> "Panel":
        """Return the images at these places, in their order, as a panel of their own."""
        return _panel(self.index[places], self.x[places], self.y[places])


def choose(data: Data, count: int | None, seed: int) -> Panel:
    """Take `count` test images, every class as often as its share; None takes all."""
    check_count(data, count)
    total = len(data.test)
    labels = data.test.y.cpu().numpy()
    return of(data, balanced(labels, total if count is None else count, seed))


def check_count(data: Data, count: int | None) -> None:
    """Raise UserError where there are not so many test images; None is all of them."""
    total = len(data.test)
    if count is not None and not 1 <= count <= total:
        raise UserError(f"--images {count} of {total} test images; give 1 to {total}")


def of(data: Data, index: NDArray[np.int64]) -> Panel:
    """Return the test images at `index`, in that order."""
    labels = data.test.y.cpu().numpy()
    pixels = np.ascontiguousarray(data.test.x.cpu().numpy()[index].transpose(0, 3, 1, 2))
    return _panel(index, pixels.astype(np.float32) / np.float32(255), labels[index])


def _panel(index: NDArray[np.int64], x: NDArray[np.float32], y: NDArray[np.int64]) -> Panel:
    pixels = np.rint(x * 255).astype(np.uint8)
    sha = hashlib.sha256(index.tobytes())
    sha.update(pixels.data)
    sha.update(y.tobytes())
    return Panel(index, x, y, sha.hexdigest()[:16])
