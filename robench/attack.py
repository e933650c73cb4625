"""The contract of an attack: a frozen dataclass whose fields are its budget."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from robench.errors import UserError
from robench.records import Settings

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier
    from torch import nn

    from robench.defense import Defense

Aim = Callable[["PyTorchClassifier"], "EvasionAttack"]
"""Aims an attack at an estimator: `Attack.build`, `Attack.build_art`, or `TrainedAttack.aim` with
what was trained."""

Presets = Mapping[str, Sequence[Settings]]
"""By name: the settings of each time that the attack runs in the preset."""

ART_BATCH = 256
"""Images that ART's own attacks are given at once; left to themselves, they take from 1 to 128."""


@dataclass(frozen=True)
class Attack(ABC):
    """An L2 attack on images in [0, 1]. Fields are settings (`--set NAME.field=value`)."""

    minimal: ClassVar[bool] = False
    """True: searches the smallest perturbation that fools. False: spends a fixed budget."""
    presets: ClassVar[Presets] = {}
    """`robench eval --preset NAME` runs every attack that has NAME, once for each of its settings:
    `{"strong": ({"loss": "ce"}, {"loss": "dlr"})}`."""
    reduced_precision: ClassVar[bool] = False
    """True: searches in the `precision` of robench's estimator, where bf16 was asked for, and
    verifies in float32. False: float32 throughout, whatever was asked for."""

    @property
    def radius(self) -> float | None:
        """The L2 norm no perturbation may exceed; None where there is no such bound."""
        return None

    @property
    def most_images(self) -> int | None:
        """How many images of an evaluation, the first, it attacks at most; None: all.

        For an attack that is too slow for all.
        """
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


class AdaptiveAttack(Attack):
    """An attack made for some defenses, with the networks that they train beside the classifier.

    It runs, white-box alone, on the checkpoints of the defenses that it `suits`. Derive a frozen
    dataclass from it, as from `Attack`.
    """

    @abstractmethod
    def suits(self, defense: "Defense") -> bool:
        """Tell whether it attacks what `defense`, with the settings of the run, has trained."""

    @abstractmethod
    def aim_at(
        self,
        estimator: "PyTorchClassifier",
        defense: "Defense",
        networks: "Mapping[str, nn.Module]",
        batch_size: int,
    ) -> "EvasionAttack":
        """Return the attack, as `build` does of other attacks.

        `networks`: those of `defense.networks`, as they were after the last epoch: moving averages,
        in evaluation mode, on the device. `batch_size`: of the training.
        """

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Refuse: there is nothing to attack with without the defense's networks."""
        raise UserError(
            f"{type(self).__name__} attacks with networks of the defense itself: call `aim_at`; "
            "`robench eval` does"
        )
