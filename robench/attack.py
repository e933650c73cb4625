"""The contract of an attack: a frozen dataclass whose fields are its budget."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from robench.errors import UserError
from robench.records import Setting

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier
    from torch import nn

    from robench.defense import Defense

Aim = Callable[["PyTorchClassifier"], "EvasionAttack"]
"""Aims an attack at an estimator: `Attack.build`, `Attack.build_art`, or `TrainedAttack.aim` with
what was trained."""

ART_BATCH = 256
"""Images that ART's own attacks are given at once; left to themselves, they take from 1 to 128."""


@dataclass(frozen=True)
class Attack(ABC):
    """An L2 attack on images in [0, 1]. Fields are settings (`--set NAME.field=value`)."""

    minimal: ClassVar[bool] = False
    """True: searches the smallest perturbation that fools. False: spends a fixed budget."""
    presets: ClassVar[Mapping[str, Mapping[str, Setting]]] = {}
    """Named sets of settings; `robench eval --preset NAME` runs every attack that has NAME."""
    reduced_precision: ClassVar[bool] = False
    """True: searches in the `precision` of robench's estimator, where bf16 was asked for, and
    verifies in float32. False: float32 throughout, whatever was asked for."""

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

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return ART's own implementation under these settings, aimed at `estimator`.

        Called for `--engine art`, first on a network made up for the purpose, so that what is
        refused is refused before anything is attacked. Raises UserError where ART has no such
        attack, or does not know a setting that is not at its default.
        """
        raise UserError(
            f"ART has no counterpart of {type(self).__name__}; run it with --engine robench"
        )


class TrainedAttack(Attack):
    """An attack with networks of its own, trained against the classifier before they attack it.

    The harness trains them once for each checkpoint and each choice of settings, and keeps them
    (`robench.fitting`). Derive a frozen dataclass from it, as from `Attack`.
    """

    @property
    @abstractmethod
    def epochs(self) -> int:
        """Epochs of training, at least 1: a setting, that is, a field of the derived class."""

    @abstractmethod
    def trainer(self) -> "Defense":
        """Return a defense whose networks beside the classifier are those to train.

        Its updates are asked for as in a run, on the run's training images; the classifier is in
        evaluation mode and stays as it is, and its losses are ignored.
        """

    @abstractmethod
    def aim(
        self, estimator: "PyTorchClassifier", networks: "Mapping[str, nn.Module]", batch_size: int
    ) -> "EvasionAttack":
        """Return the attack, as `build` does of other attacks.

        `networks`: the trained ones, by the names that `trainer().networks` gave them: moving
        averages, in evaluation mode, on the device. `batch_size`: of the training, for what
        depends on it.
        """

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Refuse: there is nothing to attack with before the training."""
        raise UserError(
            f"{type(self).__name__} is trained against a classifier first: fit it "
            "(robench.fitting.fit), then call `aim`; `robench eval` does both"
        )
