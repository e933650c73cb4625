"""The L2 attack of Carlini & Wagner (2017), as CleverHans ran it for the paper.

Not built on ART's CarliniL2Method: its search for the constant keeps two arrays that are one, so
bisection stops at the first failure after a success and distances come out too large; it descends
with a line search, several passes an iteration, where the original uses Adam; its default batch is
one image. Here an iteration is one forward and one backward pass over a batch that stays full.

Two rules differ. A success must lead by 1e-5 of the largest logit, lest rounding undo it. And the
original stops a batch once its summed loss, read every tenth of `steps`, has not fallen. Here each
image is judged by itself. Its loss rises for a dozen steps after it has first crossed the boundary,
since Adam carries it on, and read like that it is given up too soon (measured on a small CIFAR-10
network: distances 4 % larger). So an image goes on until two stretches, of a tenth of `steps` or
ten, have not lowered its least loss by a thousandth (0.04 % larger, a fifth fewer passes).
As in the original, pixels at an edge of the box hardly move: tanh space is flat there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import ART_BATCH, Attack, Presets
from robench.errors import UserError
from robench.gradient import norms
from robench_attacks.boundary import approach
from robench_attacks.constants import Begin, Searches
from robench_attacks.descent import TINY, stretch
from robench_attacks.lanes import drive
from robench_attacks.limits import above_zero, at_least
from robench_attacks.network import Network, lead_slope
from robench_attacks.walk import BoundaryWalk, boundary_walk

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class CarliniWagner(Attack):
    """The smallest L2 perturbation that descent finds over a search for the trade-off constant."""

    minimal: ClassVar[bool] = True
    reduced_precision: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    presets: ClassVar[Presets] = {
        "paper": ({},),
        "standard": ({},),
        "strong": ({"searches": 9, "warm_start": True, "bisections": 6},),
    }

    confidence: float = 0.0
    """Logits by which another class has to lead."""
    learning_rate: float = 5e-3
    """Adam's, in tanh space."""
    searches: int = 5
    """Constants tried for each image."""
    steps: int = 100
    """Most iterations for each constant."""
    initial_constant: float = 1e-2
    """Weight of the classification loss tried first."""
    abort_early: bool = True
    """Give a constant up for an image once its least loss stands still."""
    warm_start: bool = False
    """Begin the descents at the nearest point of a boundary walk, see `robench_attacks.walk`, with
    the constant that holds it there; false: at the image itself, as published."""
    bisections: int = 0
    """Halvings of the way to the nearest point found, in the end; 0: none, as published."""

    def __post_init__(self) -> None:
        above_zero(self, "learning_rate", "initial_constant")
        at_least(self, confidence=0, searches=1, steps=1, bisections=0)

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return ART's CarliniL2Method; UserError for what it does not have."""
        from art.attacks.evasion import CarliniL2Method

        for name in ("abort_early", "warm_start", "bisections"):
            if getattr(self, name) != getattr(type(self), name):
                raise UserError(f"ART's C&W has no setting {name}; leave it out")
        return CarliniL2Method(
            estimator,
            confidence=self.confidence,
            learning_rate=self.learning_rate,
            binary_search_steps=self.searches,
            max_iter=self.steps,
            initial_const=self.initial_constant,
            batch_size=ART_BATCH,
            verbose=False,
        )

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `carlini_wagner`."""
        return carlini_wagner(network, x, y, self)


def carlini_wagner(network: Network, x: Tensor, y: Tensor, budget: CarliniWagner) -> Tensor:
    """Return the nearest image found that is not classified as `y`, or `x` itself where none was.

    Minimises |x' - x|_2^2 + c * max(Z_y - max Z_other + confidence, 0). `x`: (n, ...) in [0, 1];
    `y`: int64 (n,). An image that is misclassified already comes back as it is.
    """
    result, length = x.clone(), stretch(budget.steps)
    with torch.no_grad():
        rows = (network.leads(x, y, budget.confidence) >= 0).nonzero().squeeze(1)
        if not len(rows):  # many networks cannot predict no images
            return result
        begin = _begin(network, x[rows], y[rows], budget)

        def start(images: Tensor) -> Searches:
            return Searches.at(network, begin.only(images), budget.confidence)

        def advance(lanes: Searches) -> Tensor:
            lanes.descend(network, length, budget.learning_rate, budget.confidence)
            over = lanes.age >= budget.steps
            if budget.abort_early:
                over |= lanes.standing()
            done = over.nonzero().squeeze(1)
            return lanes.settle(done, network, budget.searches, budget.confidence)

        def finish(lanes: Searches) -> None:
            result[rows[lanes.row]] = lanes.best

        drive(torch.arange(len(rows), device=x.device), network.lanes, start, advance, finish)
        return approach(network, x, y, result, budget.bisections, budget.confidence)


def _begin(network: Network, x: Tensor, y: Tensor, budget: CarliniWagner) -> Begin:
    """Return where the descents begin: at the images, or at the end of a walk."""
    row = torch.arange(len(x), device=x.device)
    never = x.new_full((len(x),), torch.inf)
    begin = Begin(row, x, y, x, never, torch.full_like(never, budget.initial_constant))
    if not budget.warm_start:
        return begin
    point = boundary_walk(network, x, y, BoundaryWalk())
    for part in row.split(network.lanes):
        origin, label, near = x[part], y[part], point[part]
        distance = norms(near - origin).flatten()
        slope, _ = lead_slope(network, near, label)
        # There the image pulls with 2 |x' - x|, and the constant holds with the slope of the lead.
        constant = 2 * distance / norms(slope).flatten().clamp_min(TINY)
        reached = network.leads(near, label, budget.confidence) < 0
        known = torch.where(reached, distance.square(), torch.inf)
        constant = torch.where(distance > 0, constant, budget.initial_constant)
        begin.put(part, Begin(part, origin, label, near, known, constant))
    return begin
