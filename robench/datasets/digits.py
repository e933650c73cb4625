"""Handwritten digits that scikit-learn carries: real scans, 8 x 8, no download."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robench.dataset import Dataset, Images

TEST = 500


@dataclass(frozen=True)
class Digits(Dataset):
    """1,297 training and 500 test scans of the UCI Optical Recognition set (Alpaydin, 1998)."""

    flip: bool = False
    """A mirrored digit is no digit."""
    pad: int = 1
    """Shift by up to one of eight pixels."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the scans; the last 500 are the test images."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        x = np.round(bunch.images[:, None] * (255 / 16)).astype(np.uint8)
        y = bunch.target.astype(np.int64)
        names = tuple(str(name) for name in bunch.target_names)
        return Images(x[:-TEST], y[:-TEST], x[-TEST:], y[-TEST:], names)

    def found(self, directory: Path | None, cache: Path) -> bool:
        """Return True: scikit-learn holds them."""
        return True
