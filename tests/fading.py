"""An attack that nobody packaged: it is loaded from this file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from art.attacks import EvasionAttack
from art.estimators.classification import PyTorchClassifier
from numpy.typing import NDArray

from robench.attack import Attack


@dataclass(frozen=True)
class Fade(Attack):
    """Fades every image towards grey."""

    amount: float = 0.5
    """0 leaves the image, 1 leaves nothing of it."""

    def build(self, estimator: PyTorchClassifier) -> EvasionAttack:
        return Changed(estimator, lambda x: x + np.float32(self.amount) * (np.float32(0.5) - x))


@dataclass(frozen=True)
class LeastFade(Fade):
    """The same, called a search for the smallest perturbation."""

    minimal = True


class Changed(EvasionAttack):  # type: ignore[misc]  # ART has no types
    """Returns images changed in a given way, whatever the network."""

    _estimator_requirements = ()

    def __init__(
        self, estimator: PyTorchClassifier, change: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> None:
        super().__init__(estimator=estimator)
        self.change = change

    def generate(self, x: NDArray[Any], y: NDArray[Any] | None = None, **_: Any) -> NDArray[Any]:
        """Return the changed images."""
        return self.change(x)
