"""Adversarial images that were kept, as pictures to look at (paper, Table 4)."""

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robench.contents import Gallery, Picture, PictureRow
from robench.samples import Samples


def gallery(title: str, shown: Sequence[tuple[str, Samples]], classes: Sequence[str]) -> Gallery:
    """Return the images themselves, then for each of `shown` the change and what it led to.

    `shown`: a label and samples of the same images. `classes`: their names, as far as known.
    """
    rows: list[PictureRow] = []
    shape = (0, 0, 0)
    for setting, samples in shown:
        if not rows:
            clean = _pictures(samples.image, samples.clean, samples, classes)
            rows.append(PictureRow("clean", clean))
            shape = samples.image.transpose(0, 2, 3, 1).shape[1:]
        moved = samples.adversarial - samples.image
        scale = 0.5 / max(float(np.abs(moved).max()), 1e-9)
        norm = np.sqrt(np.square(moved.reshape(len(moved), -1)).sum(axis=1)).mean()
        change, label = f"change x {scale:.1f}", f"{setting}, mean L2 {norm:.2f}"
        rows.append(PictureRow(change, _pictures(0.5 + scale * moved, None, samples, classes)))
        moved_to = _pictures(samples.adversarial, samples.predicted, samples, classes)
        rows.append(PictureRow(label, moved_to))
    return Gallery(title, shape, tuple(rows))


def _pictures(
    images: NDArray[np.float32],
    predicted: NDArray[np.int16] | None,
    samples: Samples,
    classes: Sequence[str],
) -> tuple[Picture, ...]:
    """Return pictures, each named by the class it is predicted as."""
    bytes_ = (
        np.round(np.clip(np.nan_to_num(images), 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    )
    return tuple(
        Picture(
            pixels=base64.b64encode(np.ascontiguousarray(image).tobytes()).decode(),
            caption="" if predicted is None else _name(classes, int(predicted[place])),
            wrong=predicted is not None and bool(predicted[place] != samples.label[place]),
        )
        for place, image in enumerate(bytes_)
    )


def _name(classes: Sequence[str], number: int) -> str:
    return classes[number] if 0 <= number < len(classes) else f"class {number}"
