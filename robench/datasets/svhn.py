"""Street View House Numbers, cropped digits (Netzer et al., 2011), through torchvision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench.dataset import Dataset, Images
from robench.datasets.fetching import known, part


@dataclass(frozen=True)
class SVHN(Dataset):
    """73,257 training and 26,032 test images, 32 x 32, 10 classes; without the extra ones."""

    flip: bool = False
    """A mirrored digit is no digit."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Read the two files under `directory` (default: the cache), fetching them if missing."""
        root, kind = directory or cache, known("SVHN")
        train, test = (  # torchvision checks each file's MD5 before it reads it
            part(kind, root, f"{kind.split_list[split][0]}", split=split)
            for split in ("train", "test")
        )
        return Images(*_arrays(train), *_arrays(test), tuple(str(digit) for digit in range(10)))

    def found(self, directory: Path | None, cache: Path) -> bool:
        """Tell whether torchvision's files are there; `load` checks their content."""
        files = [known("SVHN").split_list[split][1] for split in ("train", "test")]
        return all(((directory or cache) / file).is_file() for file in files)


def _arrays(found: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return np.ascontiguousarray(found.data), found.labels.astype(np.int64)
