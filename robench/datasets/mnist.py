"""MNIST (LeCun et al., 1998) and Fashion-MNIST (Xiao et al., 2017) through torchvision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench.dataset import Dataset, Images
from robench.datasets.fetching import known, part
from robench.errors import UserError


@dataclass(frozen=True)
class MNIST(Dataset):
    """60,000 training and 10,000 test images of handwritten digits, grey, 28 x 28 and a border."""

    flip: bool = False
    """A mirrored digit is no digit."""
    pad: int = 2
    """Shift by up to two pixels."""
    border: int = 2
    """Black pixels added on every side: 32 x 32 suits networks that halve sides."""

    def __post_init__(self) -> None:
        """Refuse a border that is none."""
        _check(self.border)

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Read the files under `directory` (default: the cache), fetching them if missing."""
        return _load("MNIST", directory or cache, self.border)

    def found(self, directory: Path | None, cache: Path) -> bool:
        """Tell whether the unpacked files are there."""
        return _found("MNIST", directory or cache)


@dataclass(frozen=True)
class FashionMNIST(Dataset):
    """60,000 training and 10,000 test images of clothes, grey, 28 x 28 and a border."""

    pad: int = 2
    """Shift by up to two pixels."""
    border: int = 2
    """Black pixels added on every side: 32 x 32 suits networks that halve sides."""

    def __post_init__(self) -> None:
        """Refuse a border that is none."""
        _check(self.border)

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Read the files under `directory` (default: the cache), fetching them if missing."""
        return _load("FashionMNIST", directory or cache, self.border)

    def found(self, directory: Path | None, cache: Path) -> bool:
        """Tell whether the unpacked files are there."""
        return _found("FashionMNIST", directory or cache)


def _check(border: int) -> None:
    if not 0 <= border <= 64:
        raise UserError(f"a border of {border} pixels is not in 0..64; 2 makes 32 x 32 of 28 x 28")


def _load(name: str, root: Path, border: int) -> Images:
    # The copy that an old torchvision left would be unpickled; the published files are not.
    kind = type(name, (known(name),), {"_check_legacy_exist": lambda _: False})
    if not _found(name, root):
        part(kind, root, f"the files of {known(name).mirrors[0]}")
    try:
        train, test = (kind(root, train=train) for train in (True, False))
    except Exception as error:  # whatever a damaged file leads to: only the archives have a hash
        raise UserError(
            f"a file under {root / name / 'raw'} is damaged ({type(error).__name__}); delete that "
            "folder, and it is fetched again"
        ) from None
    return Images(
        *_arrays(train, border), *_arrays(test, border), tuple(str(one) for one in train.classes)
    )


def _found(name: str, root: Path) -> bool:
    names = [file.removesuffix(".gz") for file, _ in known(name).resources]
    return all((root / name / "raw" / file).is_file() for file in names)


def _arrays(found: Any, border: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    x = np.pad(found.data.numpy(), ((0, 0), (border, border), (border, border)))
    return x[:, None], found.targets.numpy().astype(np.int64)
