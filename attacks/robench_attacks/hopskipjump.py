"""HopSkipJump in L2 (Chen, Jordan & Wainwright, 2020): minimal distances from labels alone.

It sees neither gradients nor scores, so that nothing which hides or bends them hinders it. Two
departures: it begins from the nearest of several starts, squares of all sizes instead of noise,
which a network may take for one class throughout; and the normal is estimated farther around.

Not built on ART's: that draws starts that cannot be seeded, returns its last step without going
back to the boundary, keeps to no number of queries, takes the network's predictions for the
labels, goes image by image, and under NumPy 2 hands float64 to a network in float32.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from robench.attack import Attack, Presets
from robench.errors import UserError
from robench_attacks.draws import Draws
from robench_attacks.hops import FEWEST, Hops
from robench_attacks.limits import at_least
from robench_attacks.network import Network

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class HopSkipJump(Attack):
    """The boundary's normal is estimated from the labels around a point, which hops along it."""

    minimal: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"strong": ({"images": 100},)}

    queries: int = 5000
    """Most points of an image whose labels are asked for, the image itself not counted."""
    starts: int = 100
    """Random images tried to begin from; more, if none of them is misclassified."""
    directions: int = 100
    """Directions of the first estimate; the t-th takes sqrt(t) times as many."""
    images: int = 0
    """Most images of an evaluation to attack, the first; 0: all, each of which takes as long as a
    hundred do of an attack that follows gradients."""

    def __post_init__(self) -> None:
        at_least(self, queries=1, starts=1, directions=FEWEST, images=0)

    @property
    def most_images(self) -> int | None:
        """Return `images`; None where all are attacked."""
        return self.images or None

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's; UserError unless images have two sides."""
        from robench_attacks.device import on_images

        return on_images(estimator, self)

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Refuse: the same seed does not give the same images."""
        raise UserError(
            "ART's HopSkipJump starts from images that cannot be seeded, and keeps to no number of "
            "queries; run it with --engine robench"
        )

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `hop_skip_jump`."""
        return hop_skip_jump(network, x, y, self)


def hop_skip_jump(network: Network, x: Tensor, y: Tensor, budget: HopSkipJump) -> Tensor:
    """Return the nearest point found that is not classified as `y`, or `x` itself where none was.

    `x`: (n, channels, height, width) in [0, 1]; `y`: int64 (n,). An image that is misclassified
    already comes back as it is. What is drawn for an image follows from torch's seed and the
    image, not from those beside it nor from the batch. Only classes are looked at.
    """
    result, draws = x.clone(), Draws(x)
    if not len(x):
        return result
    hops = Hops.from_starts(network, x, y, draws, budget.queries, budget.starts)
    while len(hops):
        result[hops.row] = hops.nearest
        hops = hops.only(hops.spare >= FEWEST)
        if len(hops):
            hops.jump(network, hops.normal(network, draws, budget.directions))
    return result
