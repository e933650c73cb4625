"""The contract of an attack: a frozen dataclass whose fields are its budget."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from robench.records import Setting

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class Attack(ABC):
    """An L2 attack on images in [0, 1]. Fields are settings (`--set NAME.field=value`)."""

    minimal: ClassVar[bool] = False
    """True: searches the smallest perturbation that fools. False: spends a fixed budget."""
    presets: ClassVar[Mapping[str, Mapping[str, Setting]]] = {}
    """Named sets of settings; `robench eval --preset NAME` runs every attack that has NAME."""

    @property
    def radius(self) -> float | None:
        """The L2 norm no perturbation may exceed; None where there is no such bound."""
        return None

    @abstractmethod
    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as ART knows it, aimed at `estimator`.

        Its `generate(x, y)` gets float32 images (n, channels, height, width) in [0, 1] and true
        labels int64 (n,), and returns images of the same shape.
        """
