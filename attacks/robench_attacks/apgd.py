"""Auto-PGD in L2 (Croce & Hein, 2020): the step size adapts itself to what the loss does.

Not built on ART's: that goes through numpy in every step, and on after an image is fooled. Here
an image is done once it is misclassified in float32, unless `stop_early` is off, and the next
takes its place. CE is read as logsumexp of the other logits minus the label's, which rises with it
and does not saturate; DLR, its alternative, does not depend on the logits' scale.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from robench.attack import ART_BATCH, Attack, Presets
from robench.errors import UserError
from robench.gradient import within
from robench_attacks.gradient import broad, gradient, loss_margin, loss_ratio, unit
from robench_attacks.lanes import Lanes, drive
from robench_attacks.limits import above_zero, at_least
from robench_attacks.network import Network, confirmed, lead

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier

Loss = Literal["ce", "dlr"]
MOMENTUM = 0.75
"""Share of the projected step that is made; the rest continues the step before."""
RISING = 0.75
"""Share of the steps since the last check that must raise the loss, or the step is halved."""
FIRST, LESS, LEAST = 0.22, 0.03, 0.06
"""The first check's share of the steps, by how much each later stretch is shorter, the shortest."""


@dataclass(frozen=True)
class APGD(Attack):
    """Ascent with momentum inside the ball of radius `eps`, halving its step where it stalls."""

    reduced_precision: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"strong": ({"loss": "ce"}, {"loss": "dlr"})}

    eps: float = 0.5
    """L2 radius on [0, 1] images that the perturbation stays within."""
    steps: int = 100
    """Most steps of an image."""
    loss: Loss = "ce"
    """Cross-entropy, or the difference of logits ratio; that one needs three classes or more."""
    stop_early: bool = True
    """Be done with an image once it is misclassified; false: go on for the highest loss."""

    def __post_init__(self) -> None:
        above_zero(self, "eps")
        at_least(self, steps=1)

    @property
    def radius(self) -> float:
        """Return `eps`."""
        return self.eps

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's; UserError for `dlr` on two classes."""
        from robench_attacks.device import DeviceAttack

        built = DeviceAttack(estimator, self)
        _refuse_two_classes(self.loss, estimator.nb_classes)
        return built

    def build_art(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return ART's AutoProjectedGradientDescent in L2."""
        from art.attacks.evasion import AutoProjectedGradientDescent

        if not self.stop_early:
            raise UserError("ART's APGD has no setting stop_early; leave it out")
        _refuse_two_classes(self.loss, estimator.nb_classes)
        return AutoProjectedGradientDescent(
            estimator,
            norm=2,
            eps=self.eps,
            eps_step=2 * self.eps,
            max_iter=self.steps,
            nb_random_init=1,
            batch_size=ART_BATCH,
            loss_type={"ce": "cross_entropy", "dlr": "difference_logits_ratio"}[self.loss],
            verbose=False,
        )

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `apgd`."""
        return apgd(network, x, y, self)


def apgd(network: Network, x: Tensor, y: Tensor, budget: APGD) -> Tensor:
    """Return a misclassified point within `eps` of `x`, or any, of those tried that of most loss.

    `x`: (n, ...) in [0, 1]; `y`: int64 (n,). Starts are drawn with torch's global generator.
    """
    result, windows = x.clone(), checks(budget.steps).to(x.device)
    drawn = (x + budget.eps * unit(torch.randn_like(x))).clamp_(0, 1)

    def start(rows: Tensor) -> _Climb:
        return _Climb.at(rows, x[rows], y[rows], drawn[rows], budget.eps)

    def advance(climb: _Climb) -> Tensor:
        climb.judge(network, budget.loss)
        over = climb.age >= budget.steps
        climb.check(windows)
        climb.move(budget.eps)
        return (over | climb.fooled if budget.stop_early else over).nonzero().squeeze(1)

    def finish(climb: _Climb) -> None:
        result[climb.row] = torch.where(broad(climb.fooled, climb.x), climb.found, climb.best)

    with torch.no_grad():
        drive(torch.arange(len(x), device=x.device), network.lanes, start, advance, finish)
    return result


def checks(steps: int) -> Tensor:
    """Return for each point, the start included, the steps since the last check; 0: no check."""
    windows = torch.zeros(steps + 1, dtype=torch.int64)
    length, at = max(1, int(FIRST * steps)), 0
    while (at := at + length) <= steps:
        windows[at] = length
        length = max(length - max(1, int(LESS * steps)), max(1, int(LEAST * steps)))
    return windows


@dataclass
class _Climb(Lanes):
    """Images under ascent."""

    x: Tensor
    y: Tensor
    point: Tensor
    last: Tensor
    """The point before."""
    slope: Tensor
    """The loss's gradient where the next step begins."""
    loss: Tensor
    step: Tensor
    """Length of the next step."""
    rises: Tensor
    """Steps since the last check that raised the loss."""
    best: Tensor
    """The point of the highest loss, that loss, and its gradient there."""
    highest: Tensor
    steepest: Tensor
    highest_then: Tensor
    """The highest loss at the last check, and whether that halved the step."""
    halved: Tensor
    age: Tensor
    """Points judged, the start left out."""
    fooled: Tensor
    found: Tensor
    """A misclassified point, where there is one: that of the highest loss."""
    offset: Tensor

    @classmethod
    def at(cls, row: Tensor, x: Tensor, y: Tensor, start: Tensor, eps: float) -> "_Climb":
        """Begin at `start`."""
        never, zero = x.new_full((len(x),), -torch.inf), x.new_zeros(len(x))
        no = torch.zeros_like(row, dtype=torch.bool)
        step, age = torch.full_like(zero, 2 * eps), torch.full_like(row, -1)
        return cls(
            row, x, y, start, start, x * 0, never, step, row * 0, start, never, x * 0,
            never, ~no, age, no, start, zero,
        )  # fmt: skip

    def judge(self, network: Network, loss: Loss) -> None:
        """Take the loss and its gradient at the point, and see whether it is misclassified."""
        with torch.enable_grad():
            point = self.point.detach().requires_grad_()
            scores = network.search(point)
            value = LOSSES[loss](scores, self.y)
        self.slope, value, scores = gradient(value, point), value.detach(), scores.detach()
        higher = value > self.highest
        new = confirmed(
            network,
            self.point,
            self.y,
            scores=scores,
            leading=lead(scores, self.y) + self.offset,
            offset=self.offset,
            wanted=~self.fooled | higher,
        )
        self.fooled = self.fooled | new
        self.found = torch.where(broad(new, self.x), self.point, self.found)
        self.age = self.age + 1
        self.rises = self.rises + (value > self.loss) * (self.age > 0)
        self.loss, self.highest = value, torch.where(higher, value, self.highest)
        self.best = torch.where(broad(higher, self.x), self.point, self.best)
        self.steepest = torch.where(broad(higher, self.x), self.slope, self.steepest)

    def check(self, windows: Tensor) -> None:
        """At a check, halve the step where the loss stalls, and go on from the best point."""
        window = windows[self.age]
        due = window > 0
        idle = ~self.halved & (self.highest_then >= self.highest)
        halve = due & ((self.rises <= RISING * window) | idle)
        self.step = torch.where(halve, self.step / 2, self.step)
        self.point = torch.where(broad(halve, self.x), self.best, self.point)
        self.slope = torch.where(broad(halve, self.x), self.steepest, self.slope)
        self.halved = torch.where(due, halve, self.halved)
        self.highest_then = torch.where(due, self.highest, self.highest_then)
        self.rises = torch.where(due, 0, self.rises)

    def move(self, eps: float) -> None:
        """Make a step along the gradient, and some of the last one again, within the ball."""
        along = self.point + broad(self.step, self.x) * unit(self.slope)
        aim = (self.x + within(along - self.x, eps)).clamp_(0, 1)
        share = broad(torch.where(self.age > 0, MOMENTUM, 1.0).to(self.x.dtype), self.x)
        moved = self.point + share * (aim - self.point) + (1 - share) * (self.point - self.last)
        self.last = self.point
        self.point = (self.x + within(moved - self.x, eps)).clamp_(0, 1)


def _refuse_two_classes(loss: Loss, classes: int) -> None:
    if loss == "dlr" and classes < 3:
        raise UserError(
            f"APGD: loss=dlr compares three classes, the network has {classes}; use loss=ce"
        )


def _ratio(scores: Tensor, y: Tensor) -> Tensor:
    _refuse_two_classes("dlr", scores.shape[1])  # the loss can be changed after `build`
    return loss_ratio(scores, y)


LOSSES = {"ce": loss_margin, "dlr": _ratio}
