"""Images on the device: one uint8 tensor a split, floats in [0, 1] only in the step."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robench.dataset import Dataset, Images
from robench.errors import UserError

SPLIT_SEED = 20200101
"""The validation split is the same for every run, whatever its seed."""


@dataclass(frozen=True)
class Split:
    """Some images: `x` uint8 (n, height, width, channels), `y` int64 (n,), on one device."""

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def floats(self, index: Tensor | slice) -> Tensor:
        """Return images as floats (n, channels, height, width) in [0, 1], channels last."""
        return self.x[index].permute(0, 3, 1, 2).float().div_(255)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images, labels) in order."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield self.floats(part), self.y[part]


@dataclass(frozen=True)
class Data:
    """A data set, split and on a device."""

    train: Split
    validation: Split
    """Held out of the training images; the test images where nothing is held out."""
    test: Split
    classes: tuple[str, ...]
    hash: str
    """Of all decoded images and labels: the data set's identity in a run's spec."""
    held_out: int
    """Size of the validation split; 0 where the test images stand in for it."""
    flip: bool
    pad: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channels, height, width) of one image."""
        height, width, channels = self.train.x.shape[1:]
        return (channels, height, width)


def load(
    dataset: Dataset,
    name: str,
    directory: Path | None,
    cache: Path,
    device: torch.device,
    validation: int | None = None,
) -> Data:
    """Read, check, split and move a data set.

    `validation`: images to hold out of the training images, class-balanced; None: a tenth;
    0: none, the test images are used to choose by. Raises UserError where they do not suffice.
    """
    images = dataset.load(directory, cache)
    if directory is not None and not directory.exists():  # most say themselves what they look for
        raise UserError(f"there is no folder {directory}; mend --data-dir, or leave it out")
    _check(images, name)
    count = len(images.train_y)
    held_out = count // 10 if validation is None else validation
    if not 0 <= held_out < count:
        raise UserError(
            f"--validation {held_out} of {count} training images; give 0 to {count - 1}"
        )
    if not 0 <= dataset.pad < min(images.train_x.shape[2:]):
        raise UserError(
            f"pad={dataset.pad} is not from 0 to below the image size; --set dataset.pad=..."
        )
    chosen = balanced(images.train_y, held_out, SPLIT_SEED)
    rest = np.setdiff1d(np.arange(count), chosen)
    test = _split(images.test_x, images.test_y, device)
    held = _split(images.train_x[chosen], images.train_y[chosen], device) if held_out else test
    train = _split(images.train_x[rest], images.train_y[rest], device)
    return Data(
        train=train,
        validation=held,
        test=test,
        classes=images.classes,
        hash=_hash(images),
        held_out=held_out,
        flip=dataset.flip,
        pad=dataset.pad,
    )


def balanced(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Choose `count` positions, every class as often as its share, in ascending order."""
    return np.sort(mixed(labels, seed)[:count])


def mixed(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return all positions in an order whose every beginning has each class by its share."""
    order = np.random.default_rng(seed).permutation(len(labels))
    # Rank of each image within its class, as a share of the class: the smallest shares win.
    share = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        share[members] = (np.arange(len(members)) + 0.5) / len(members)
    position = np.empty(len(labels), dtype=np.int64)
    position[order] = np.arange(len(labels))
    found: NDArray[np.int64] = np.lexsort((position, share))
    return found


def _split(x: NDArray[np.uint8], y: NDArray[np.int64], device: torch.device) -> Split:
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    return Split(torch.from_numpy(last).to(device), torch.from_numpy(y).to(device))


def _check(images: Images, name: str) -> None:
    for split, x, y in (
        ("train", images.train_x, images.train_y),
        ("test", images.test_x, images.test_y),
    ):
        if x.ndim != 4 or x.dtype != np.uint8 or y.shape != x.shape[:1] or y.dtype != np.int64:
            raise UserError(
                f"data set {name}: {split} images are {x.dtype}{x.shape} with labels {y.dtype}"
                f"{y.shape}; wanted uint8 (n, channels, height, width) and int64 (n,)"
            )
        if not len(y) or y.min() < 0 or y.max() >= len(images.classes):
            raise UserError(f"data set {name}: {split} labels outside 0..{len(images.classes) - 1}")
    if images.train_x.shape[1:] != images.test_x.shape[1:]:
        raise UserError(
            f"data set {name}: training images are {images.train_x.shape[1:]}, test images "
            f"{images.test_x.shape[1:]} (channels, height, width); they must agree"
        )
    if len(images.classes) < 2:
        raise UserError(
            f"data set {name} has one class ({', '.join(images.classes)}); two or more are needed"
        )


def _hash(images: Images) -> str:
    total = hashlib.sha256()
    for array in (images.train_x, images.train_y, images.test_x, images.test_y):
        total.update(repr(array.shape).encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()[:16]
