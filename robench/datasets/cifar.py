"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) through torchvision, downloaded on first use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench.dataset import Dataset, Images
from robench.datasets.fetching import known, part


@dataclass(frozen=True)
class CIFAR10(Dataset):
    """50,000 training and 10,000 test images, 32 x 32, 10 classes."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Read the archive under `directory` (default: the cache), fetching it if missing."""
        return _load("CIFAR10", directory or cache)

    def found(self, directory: Path | None, cache: Path) -> bool:
        """Tell whether torchvision's files are there; `load` checks their content."""
        return _found("CIFAR10", directory or cache)


@dataclass(frozen=True)
class CIFAR100(Dataset):
    """50,000 training and 10,000 test images, 32 x 32, 100 classes."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Read the archive under `directory` (default: the cache), fetching it if missing."""
        return _load("CIFAR100", directory or cache)

    def found(self, directory: Path | None, cache: Path) -> bool:
        """Tell whether torchvision's files are there; `load` checks their content."""
        return _found("CIFAR100", directory or cache)


def _load(name: str, root: Path) -> Images:
    kind = known(name)
    # torchvision checks each file's MD5 before it unpickles any.
    train, test = (part(kind, root, kind.url, train=train) for train in (True, False))
    return Images(*_arrays(train), *_arrays(test), classes=tuple(train.classes))


def _found(name: str, root: Path) -> bool:
    kind = known(name)
    names = [file for file, _ in (*kind.train_list, *kind.test_list)]
    return all((root / kind.base_folder / file).is_file() for file in names)


def _arrays(found: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    x = np.ascontiguousarray(found.data.transpose(0, 3, 1, 2))
    return x, np.asarray(found.targets, dtype=np.int64)
