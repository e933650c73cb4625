"""Classifiers that robench did not train: exact ones of tinted images, and ones that are broken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import planes
import robench

SIZE = 8
CHANNELS = (2, 1, 0)
"""Of `tiny.CLASSES`: blue, green, red."""
MEAN, STD = (0.4, 0.45, 0.5), (0.2, 0.25, 0.3)
IMAGES = 12
ATTACKS = ("fgm", "deepfool")


def tints() -> planes.Planes:
    """Return what tells `tiny.folder`'s tints apart: the mean of each class's own channel.

    Two classes are apart by a plane that no image needs to leave the box for.
    """
    weight = torch.zeros(3, 3, SIZE * SIZE)
    for label, channel in enumerate(CHANNELS):
        weight[label, channel] = 1 / SIZE**2
    return planes.Planes(weight.flatten(1), torch.zeros(3)).eval()


def normalised() -> planes.Planes:
    """Return the same classifier for images that `MEAN` and `STD` were applied to."""
    network = tints()
    weight = network.weight.detach().view(3, 3, -1)
    mean, std = torch.tensor(MEAN).view(1, 3, 1), torch.tensor(STD).view(1, 3, 1)
    return planes.Planes((weight * std).flatten(1), (weight * mean).sum(dim=(1, 2))).eval()


def distances(x: NDArray[np.float32], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far `tints()` has its nearest boundary, L2, from images (n, 3, 8, 8)."""
    return planes.nearest(tints(), x, y)


class Around(nn.Module):
    """Shows images to a classifier, and what it says to those who asked, not quite as they are."""

    def __init__(self, kind: str = "") -> None:
        """Take what is wrong with it; nothing if nothing."""
        super().__init__()
        self.kind, self.inner = kind, tints()
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(3, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, or what is wrong with them."""
        if self.kind == "bytes":  # saturates unless it is shown values from 0 to 255
            return self.inner((x / 255 - 0.4).clamp(-0.2, 0.2))
        if self.kind == "flat":
            return self.inner(x.view(-1, 12))
        scores = self.inner(x)
        wrong: dict[str, Callable[[], Any]] = {
            "softmax": lambda: (50 * scores).softmax(dim=1),
            "noise": lambda: F.dropout(scores, 0.5, training=True),
            "batch": lambda: self.norm(scores),
            "fewer": lambda: scores[:, :2],
            "maps": lambda: scores[:, :, None, None],
            "two": lambda: (scores, scores),
            "labels": lambda: scores.argmax(dim=1),
            "infinite": lambda: scores / 0,
            "detached": lambda: scores.detach(),
            "shuffled": lambda: scores[:, [1, 2, 0]],
            "log": lambda: scores.log_softmax(dim=1),
            "dropout": lambda: self.drop(scores),
        }
        found: Tensor | tuple[Tensor, Tensor] = wrong.get(self.kind, lambda: scores)()
        return found


FACTORY = """
from torch import nn
import strangers

KIND = ""

def plain():
    return strangers.tints()

def normalised():
    return strangers.normalised()

def around():
    return strangers.Around(KIND)

def needy(width):
    return strangers.tints()

def words():
    return "a network"
"""


def file(folder: Path, kind: str = "") -> Path:
    """Write a file with functions that build classifiers; `around` is wrong in the way `kind`."""
    path = folder / "net.py"
    path.write_text(FACTORY.replace('KIND = ""', f"KIND = {kind!r}"))
    return path


def evaluated(data: Path, runs: Path, model: Any, **more: Any) -> pd.DataFrame:
    """Return what a small evaluation of a classifier returned; `more` overrides."""
    given = {"attacks": ATTACKS, "images": IMAGES, "audit": False, "device": "cpu", **more}
    return robench.evaluate(model, dataset="folder", data_dir=data, runs=runs, **given)


def command(data: Path, runs: Path, *words: object) -> list[object]:
    """Return the words of a small `robench eval` of a classifier of one's own."""
    given: list[object] = ["eval", "--dataset", "folder", "--data-dir", data, "--runs", runs]
    given += ["--images", IMAGES, "--device", "cpu"]
    return [*given, *(word for name in ATTACKS for word in ("--attack", name)), *words]
