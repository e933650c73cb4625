"""What a record can be changed in, and the comparison that is to notice it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from robench.outcomes import Outcomes
from robench.samples import Samples, samples_path


def outcomes(change: Callable[[Outcomes], Outcomes]) -> Callable[[Path], None]:
    """Return what rewrites the outcomes beside a record."""

    def rewrite(record: Path) -> None:
        path = record.with_suffix(".npz")
        change(Outcomes.load(path)).save(path)

    return rewrite


def samples(change: Callable[[Samples], Samples]) -> Callable[[Path], None]:
    """Return what rewrites the images kept beside a record."""

    def rewrite(record: Path) -> None:
        change(Samples.load(samples_path(record))).save(samples_path(record))

    return rewrite


def turned(classes: np.ndarray) -> np.ndarray:
    """Return other classes, of the three there are, for the first image."""
    return np.concatenate([(classes[:1] + 1) % 3, classes[1:]])


CHANGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a class before the attack": (
        "predictions",
        outcomes(lambda o: replace(o, clean=turned(o.clean))),
    ),
    "a class after it": (
        "adversarial images",
        outcomes(lambda o: replace(o, adversarial=turned(o.adversarial))),
    ),
    "a success": (
        "adversarial images",
        outcomes(lambda o: replace(o, success=np.concatenate([~o.success[:1], o.success[1:]]))),
    ),
    "a norm": (
        "adversarial images",
        outcomes(lambda o: replace(o, norm=o.norm * np.float32(0.99))),
    ),
    "which images": (
        "network and images",
        outcomes(lambda o: replace(o, index=o.index[::-1].copy())),
    ),
    "a label": (
        "network and images",
        outcomes(lambda o: replace(o, label=turned(o.label))),
    ),
    "a distance": (
        "outcomes",
        outcomes(lambda o: replace(o, distance=o.distance * np.float32(0.99))),
    ),
    "a failure's distance": (
        "outcomes",
        outcomes(lambda o: replace(o, distance=np.zeros_like(o.distance))),
    ),
    "a distance beyond the radius": (
        "outcomes",
        outcomes(lambda o: replace(o, distance=o.distance * 9, norm=o.norm * 9)),
    ),
    "an image that there is none of": (
        "network and images",
        outcomes(lambda o: replace(o, index=o.index + np.int32(1000))),
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
