"""What a record can be changed in, and the comparison that is to notice it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from robench.outcomes import Outcomes
from robench.samples import Samples, samples_path


def outcomes(change: Callable[[Outcomes, int], Outcomes]) -> Callable[[Path], None]:
    """Return what rewrites the outcomes beside a record, at the place of one that was kept."""

    def rewrite(record: Path) -> None:
        path = record.with_suffix(".npz")
        old, kept = Outcomes.load(path), Samples.load(samples_path(record))
        right = kept.index[kept.clean == kept.label]
        change(old, int(np.flatnonzero(old.index == right[0])[0])).save(path)

    return rewrite


def samples(change: Callable[[Samples], Samples]) -> Callable[[Path], None]:
    """Return what rewrites the images kept beside a record."""

    def rewrite(record: Path) -> None:
        change(Samples.load(samples_path(record))).save(samples_path(record))

    return rewrite


def turned(classes: np.ndarray, at: int) -> np.ndarray:
    """Return another class, of the three there are, for one image."""
    return np.where(np.arange(len(classes)) == at, (classes + 1) % 3, classes).astype(np.int16)


CHANGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a class before the attack": (
        "predictions",
        outcomes(lambda o, at: replace(o, clean=turned(o.clean, at))),
    ),
    "a class after it": (
        "adversarial images",
        outcomes(lambda o, at: replace(o, adversarial=turned(o.adversarial, at))),
    ),
    "a success": (
        "adversarial images",
        outcomes(lambda o, at: replace(o, success=o.success ^ (np.arange(len(o.success)) == at))),
    ),
    "a norm": (
        "adversarial images",
        outcomes(lambda o, at: replace(o, norm=o.norm * np.float32(0.99))),
    ),
    "which images": (
        "network and images",
        outcomes(lambda o, at: replace(o, index=o.index[::-1].copy())),
    ),
    "a label": (
        "network and images",
        outcomes(lambda o, at: replace(o, label=turned(o.label, at))),
    ),
    "a distance": (
        "outcomes",
        outcomes(lambda o, at: replace(o, distance=o.distance * np.float32(0.99))),
    ),
    "a failure's distance": (
        "outcomes",
        outcomes(lambda o, at: replace(o, distance=np.zeros_like(o.distance))),
    ),
    "a distance beyond the radius": (
        "outcomes",
        outcomes(lambda o, at: replace(o, distance=o.distance * 9, norm=o.norm * 9)),
    ),
    "an image that there is none of": (
        "network and images",
        outcomes(lambda o, at: replace(o, index=o.index + np.int32(1000))),
    ),
    "a pixel of an adversarial image": (
        "adversarial images",
        samples(lambda s: replace(s, adversarial=np.clip(s.adversarial + 0.01, 0, 1))),
    ),
    "a pixel of a clean image": (
        "adversarial images",
        samples(lambda s: replace(s, image=s.image * np.float32(0.9))),
    ),
    "NaN in an adversarial image": (
        "adversarial images",
        samples(lambda s: replace(s, adversarial=s.adversarial * np.float32(np.nan))),
    ),
}
