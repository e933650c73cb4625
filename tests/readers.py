"""A small convolutional network that reads handwritten digits: trained in a blink."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from robench.datasets.digits import Digits
from robench.estimator import Classifier, wrap
from robench.records import Precision

SHAPE, CLASSES = (1, 8, 8), 10
EPOCHS, BATCH, RATE = 4, 64, 5e-3
SHOWN = 100


@dataclass(frozen=True, eq=False)
class Reader:
    """A trained network, in evaluation mode, and the first test images that it reads correctly."""

    network: nn.Module
    x: NDArray[np.float32]
    """(`SHOWN`, 1, 8, 8) in [0, 1]; `y`: (`SHOWN`,)."""
    y: NDArray[np.int64]

    def estimator(self, precision: Precision = "float32") -> Classifier:
        """Return the network as attacks meet it."""
        return wrap(self.network, SHAPE, CLASSES, precision)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Return images and labels as tensors."""
        return torch.from_numpy(self.x), torch.from_numpy(self.y)

    def doubled(self) -> nn.Module:
        """Return a copy of the network in float64."""
        return copy.deepcopy(self.network).double()

    def fooled(self, attacked: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which images are misread, in float32."""
        found: NDArray[np.bool_] = self.estimator().predict(attacked).argmax(axis=1) != self.y
        return found

    def distances(self, attacked: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how far each image was moved, in L2."""
        moved = (attacked.astype(np.float64) - self.x).reshape(len(self.x), -1)
        return np.sqrt(np.square(moved).sum(axis=1))


def trained() -> Reader:
    """Train a network, the same each time."""
    found = Digits().load(None, Path())
    network = _network(_images(found.train_x), torch.from_numpy(found.train_y))
    x, y = _images(found.test_x), torch.from_numpy(found.test_y)
    with torch.no_grad():
        right = (network(x).argmax(dim=1) == y).nonzero().squeeze(1)
    assert len(right) > 0.9 * len(x)
    return Reader(network, x[right[:SHOWN]].numpy(), y[right[:SHOWN]].numpy())


def _images(raw: NDArray[np.uint8]) -> Tensor:
    """Return pale scans, from 0.1 to 0.9: at the box's edges the tanh space of C&W is flat."""
    return 0.1 + 0.8 * torch.from_numpy(raw).float() / 255


def _network(x: Tensor, y: Tensor) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.LeakyReLU(0.1)),
            *(nn.Conv2d(16, 32, 3, stride=2), nn.LeakyReLU(0.1)),
            *(nn.Flatten(), nn.Linear(288, CLASSES)),
        )
        optimizer = torch.optim.Adam(network.parameters(), RATE)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                F.cross_entropy(network(x[rows]), y[rows]).backward()
                optimizer.step()
    return network.eval()
