"""DeepFool in L2 (Moosavi-Dezfooli et al., 2016): Newton-like steps to the nearest boundary.

Not built on ART's DeepFool: that computes the gradients of all classes whatever the number of
candidates, goes through numpy in every step, and its points often stop on the boundary itself.
As its authors do, the overshoot is applied in every step, so that a point is done only when what
is returned fools the network; as the paper ran it, rivals are ranked anew in every step.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import ART_BATCH, Attack, Presets
from robench.gradient import norms
from robench_attacks.gradient import broad, gradient, own_and_others
from robench_attacks.lanes import Lanes, drive
from robench_attacks.limits import at_least
from robench_attacks.network import CLEAR, Network, clearly_fooled, size

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier

PAST_BOUNDARY = 1e-5
"""Added to the logit gap to close, so that a step does not end on the boundary itself; or more,
where by that much rounding could undo the success."""


@dataclass(frozen=True)
class DeepFool(Attack):
    """The smallest L2 perturbation that repeated linearisation finds; labels are not used."""

    minimal: ClassVar[bool] = True
    reduced_precision: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"paper": ({},), "standard": ({},)}

    steps: int = 100
    """Most steps an image gets; one that is fooled earlier stops there."""
    candidates: int = 10
    """Classes considered in each step, the predicted one included: those of highest logits."""
    overshoot: float = 0.02
    """Share by which the perturbation is longer than the linearised distance."""

    def __post_init__(self) -> None:
        at_least(self, steps=1, candidates=2, overshoot=0)

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return ART's DeepFool; it applies the overshoot once, after the last step."""
        from art.attacks.evasion import DeepFool as ArtDeepFool

        return ArtDeepFool(
            estimator,
            max_iter=self.steps,
            epsilon=self.overshoot,
            nb_grads=self.candidates,
            batch_size=ART_BATCH,
            verbose=False,
        )

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `deepfool`."""
        return deepfool(
            network, x, steps=self.steps, candidates=self.candidates, overshoot=self.overshoot
        )


def deepfool(
    network: Network, x: Tensor, *, steps: int, candidates: int, overshoot: float
) -> Tensor:
    """Return images that the network predicts otherwise than `x`, or the last point tried.

    `x`: (n, ...) in [0, 1], the result too. Images already fooled cost nothing more.
    """
    result = x.clone()

    def start(rows: Tensor) -> _Ways:
        scores = network(x[rows])
        age = torch.zeros_like(rows)
        return _Ways(rows, x[rows], scores.argmax(dim=1), x[rows], x[rows] * 0, scores, age)

    def advance(ways: _Ways) -> Tensor:
        step = _step(network, ways.point, ways.y, ways.scores, candidates)
        ways.total = ways.total + step
        ways.point = (ways.x + (1 + overshoot) * ways.total).clamp_(0, 1)
        # Before the next step's forward pass: that one keeps what every gradient needs, and its
        # gradients are worth computing for those alone that are not done.
        ways.scores = network(ways.point)
        ways.age = ways.age + 1
        fooled = clearly_fooled(ways.scores, ways.y)
        return (fooled | (ways.age >= steps)).nonzero().squeeze(1)

    def finish(ways: _Ways) -> None:
        result[ways.row] = ways.point

    with torch.no_grad():
        drive(torch.arange(len(x), device=x.device), network.lanes, start, advance, finish)
    return result


@dataclass
class _Ways(Lanes):
    """Images on their way to a boundary."""

    x: Tensor
    y: Tensor
    """The class predicted."""
    point: Tensor
    total: Tensor
    """The steps made, overshoot left out."""
    scores: Tensor
    """The logits at the point, exact: a step's length hangs on small differences of them."""
    age: Tensor


def _step(
    network: Network, point: Tensor, predicted: Tensor, scores: Tensor, candidates: int
) -> Tensor:
    """Return the shortest way to a rival's boundary, the network taken as linear around `point`.

    `scores`: the exact logits there; the gradients are those of the search.
    """
    own, others = own_and_others(scores, predicted)
    rivals = others.topk(min(candidates, others.shape[1]) - 1, dim=1)
    gaps = own.unsqueeze(1) - rivals.values
    past = (2 * CLEAR * size(scores)).clamp_min(PAST_BOUNDARY)
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        searched = network.search(point)
        at_label = searched.gather(1, predicted.unsqueeze(1))
        leads = (at_label - searched.gather(1, rivals.indices)).unbind(dim=1)
    shortest, direction = point.new_full((len(point),), torch.inf), torch.zeros_like(point)
    for number, rising in enumerate(leads):
        slope = gradient(rising, point, again=number + 1 < len(leads))
        steepness = norms(slope).flatten()
        distance = (gaps[:, number] + past) / steepness
        nearer = distance < shortest  # false for infinity: a rival without a gradient
        shortest = torch.where(nearer, distance, shortest)
        scale = broad(-1 / steepness, slope)
        direction = torch.where(broad(nearer, slope), slope.mul_(scale), direction)
    diagonal = point[0].numel() ** 0.5  # no way inside the box is longer
    return direction * broad(shortest.clamp_max(diagonal), point)
