"""A data set of CIFAR-10's size made of noise: `--dataset ./benchmarks/synthetic.py`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robench.dataset import Dataset, Images

CLASSES = 10


@dataclass(frozen=True)
class Synthetic(Dataset):
    """Random pictures, one a class, under noise."""

    train: int = 50_000
    test: int = 10_000
    size: int = 32

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return images (n, 3, size, size); the same ones each time."""
        random = np.random.default_rng(0)
        shape = (3, self.size, self.size)
        pictures = random.integers(64, 96, (CLASSES, *shape), dtype=np.uint8)
        y = random.integers(0, CLASSES, self.train + self.test)
        x = random.integers(0, 160, (len(y), *shape), dtype=np.uint8)
        x += pictures[y]
        n = self.train
        return Images(x[:n], y[:n], x[n:], y[n:], tuple(map(str, range(CLASSES))))
