"""The perturbation generator as an attack on a fixed classifier (the paper, Section 4.3, Figure 3).

A generator is trained against the classifier, which stays as it is, on the generator's side of
the game of `robench_defenses.pgn`; the attack is then one forward pass. There is no bound on the
norm: `c_l` sets its price, and one generator is trained for each price. The sources say that the
generator is "fully trained on the training dataset"; the rest is decided here:

- The generator sees the true labels, as in training.
- Its moving average attacks, as it is the classifier's that is attacked.
- The prices are open: the paper's figure names none.
- The gradient image of preset `code` is divided by the batch size of the training, however many
  images are attacked at once: the generator knows it at that scale.
- The epochs are open too, see `epochs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from robench.attack import TrainedAttack
from robench_attacks.limits import at_least
from robench_attacks.network import Network
from robench_defenses import pgn as defense
from robench_defenses.ablation import PGNAblation

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class PGN(TrainedAttack):
    """Perturbations of a generator trained to raise the cross-entropy at a price (Eqs. 4 and 5)."""

    c_l: float = 50.0
    """Price of a perturbation's squared L2 norm; lower goes further."""
    preset: Literal["code", "paper"] = "code"
    """Whose reading of the gradient image to follow; see the defense."""
    generator_width: float = 1.0
    """Multiplies every filter count of the generator of Table 1."""
    without: Literal["nothing", "gradient", "image", "label"] = "nothing"
    """An input that the generator is not shown (Figure 8)."""
    epochs: int = 10
    """Epochs of training."""

    def __post_init__(self) -> None:
        self.trainer()  # refuses what the defense refuses
        at_least(self, epochs=1)

    def trainer(self) -> defense.PGN:
        """Return the defense whose generator is trained."""
        if self.without == "nothing":
            return defense.PGN(self.c_l, self.preset, self.generator_width)
        return PGNAblation(self.c_l, self.preset, self.generator_width, self.without)

    def aim(
        self, estimator: "PyTorchClassifier", networks: Mapping[str, nn.Module], batch_size: int
    ) -> "EvasionAttack":
        """Return the forward pass of the trained generator as a drop-in for an attack of ART's."""
        from robench_attacks.device import DeviceAttack

        game = self.trainer()
        game.use(networks["generator"])
        return DeviceAttack(estimator, Forward(game, batch_size))


@dataclass(frozen=True)
class Forward:
    """One forward pass of a trained generator."""

    game: defense.PGN
    trained_batch: int
    """The batch size of its training, which scales the gradient image of preset `code`."""

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the perturbed images."""
        return self.game.perturb(network, x, y, self.trained_batch)
