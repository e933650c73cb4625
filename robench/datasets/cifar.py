"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) through torchvision, downloaded on first use."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench.dataset import Dataset, Images
from robench.errors import UserError


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
    train, test = _part(name, root, train=True), _part(name, root, train=False)
    return Images(*_arrays(train), *_arrays(test), classes=tuple(train.classes))


def _kind(name: str) -> Any:
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:  # the latter: built for another torch
        reason = str(error).splitlines()[0]
        raise UserError(
            f"torchvision does not import ({reason}); `robench doctor` says how to mend it"
        ) from None
    return getattr(datasets, name)


def _found(name: str, root: Path) -> bool:
    kind = _kind(name)
    names = [file for file, _ in (*kind.train_list, *kind.test_list)]
    return all((root / kind.base_folder / file).is_file() for file in names)


def _part(name: str, root: Path, *, train: bool) -> Any:
    # torchvision checks each file's MD5 before it unpickles any.
    kind = _kind(name)
    with contextlib.suppress(RuntimeError):  # absent or damaged: fetch it
        return kind(root, train=train, download=False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return kind(root, train=train, download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{name} is not in {root} and cannot be downloaded ({error}); fetch {kind.url}, unpack "
            "it there or elsewhere and say --data-dir; --dataset digits needs no download"
        ) from None


def _arrays(part: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    x = np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))
    return x, np.asarray(part.targets, dtype=np.int64)
