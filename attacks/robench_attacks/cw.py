"""The L2 attack of Carlini & Wagner (2017), as CleverHans ran it for the paper.

Not built on ART's CarliniL2Method: its search for the constant keeps two arrays that are one, so
bisection stops at the first failure after a success and distances come out too large; it descends
with a line search, several passes an iteration, where the original uses Adam; its default batch is
one image. Here an iteration is one forward and one backward pass over the images still active.

One rule differs. The original stops a batch once its summed loss, read every tenth of `steps`, has
not fallen. A single image's loss swings under Adam, and read like that it is given up too soon
(measured on a small CIFAR-10 network: distances 1.6 % larger). So each image is judged by the
lowest loss of the last tenth against that of the tenth before (0.1 % larger, as many passes).
As in the original, pixels at an edge of the box hardly move: tanh space is flat there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import Attack
from robench.records import Setting
from robench_attacks.gradient import Logits, gradient, own_and_others
from robench_attacks.limits import above_zero, at_least

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier

UNBOUNDED = 1e10
"""Upper bound of a constant that has never sufficed (the original's)."""
CLEAR = 1e-5
"""Share of the largest logit by which a rival must lead, lest rounding undo the success."""
FIRST_DECAY, SECOND_DECAY, TINY = 0.9, 0.999, 1e-8
"""Adam's (Kingma & Ba, 2015)."""


@dataclass(frozen=True)
class CarliniWagner(Attack):
    """The smallest L2 perturbation that descent finds over a search for the trade-off constant."""

    minimal: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, Setting]]] = {"paper": {}}

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
    """Give a constant up for an image once a tenth of `steps` has not lowered its least loss."""

    def __post_init__(self) -> None:
        above_zero(self, "learning_rate", "initial_constant")
        at_least(self, confidence=0, searches=1, steps=1)

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def perturb(self, logits: Logits, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `carlini_wagner`."""
        return carlini_wagner(logits, x, y, self)


def carlini_wagner(logits: Logits, x: Tensor, y: Tensor, budget: CarliniWagner) -> Tensor:
    """Return the nearest image found that is not classified as `y`, or `x` itself where none was.

    Minimises |x' - x|_2^2 + c * max(Z_y - max Z_other + confidence, 0). `x`: (n, ...) in [0, 1];
    `y`: int64 (n,). An image that is misclassified already comes back as it is.
    """
    result = x.clone()
    with torch.no_grad():
        rows = (_lead(logits(x), y) + budget.confidence >= 0).nonzero().squeeze(1)
        x, y = x[rows], y[rows]
        nearest, distance = x, torch.full_like(y, torch.inf, dtype=x.dtype)
        constant = torch.full_like(distance, budget.initial_constant)
        lower, upper = torch.zeros_like(distance), torch.full_like(distance, UNBOUNDED)
        for search in range(budget.searches if len(rows) else 0):
            if budget.searches >= 10 and search == budget.searches - 1:
                constant = upper  # the original's last try: the least constant that sufficed
            found, length = _descend(logits, x, y, constant, budget)
            nearer = length < distance
            nearest = torch.where(_broad(nearer, x), found, nearest)
            distance = torch.where(nearer, length, distance)
            constant, lower, upper = bisect(constant, lower, upper, length.isfinite())
        result[rows] = nearest
    return result


def bisect(
    constant: Tensor, lower: Tensor, upper: Tensor, success: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return each image's next constant, and its bounds, after `constant` had `success` or not.

    Tenfold until a constant suffices, then the middle between the largest that failed and the
    smallest that sufficed. All arguments and results are (n,).
    """
    upper = torch.where(success, torch.minimum(upper, constant), upper)
    lower = torch.where(success, lower, torch.maximum(lower, constant))
    bounded = upper < UNBOUNDED
    return torch.where(bounded, (lower + upper) / 2, constant * 10), lower, upper


@dataclass
class _Rows:
    """The images still descending: one row each in every field."""

    row: Tensor
    """Position among those that began."""
    y: Tensor
    constant: Tensor
    origin: Tensor
    """The image as tanh space represents it."""
    w: Tensor
    """The point in tanh space."""
    first: Tensor
    """Adam's moments."""
    second: Tensor
    nearest: Tensor
    """The nearest misclassified point, and its squared distance."""
    distance: Tensor
    lowest: Tensor
    """The least loss since the last check, and that of the stretch before."""
    before: Tensor

    def only(self, keep: Tensor) -> "_Rows":
        return _Rows(*(getattr(self, field.name)[keep] for field in fields(self)))


def _start(x: Tensor, y: Tensor, constant: Tensor) -> _Rows:
    w = ((2 * x - 1) * 0.999999).atanh()
    zero, never = torch.zeros_like(x), torch.full_like(constant, torch.inf)
    row = torch.arange(len(x), device=x.device)
    moments = (zero, zero.clone())  # written in place
    return _Rows(row, y, constant, _image(w), w, *moments, x, never, never, never)


def _descend(
    logits: Logits, x: Tensor, y: Tensor, constant: Tensor, budget: CarliniWagner
) -> tuple[Tensor, Tensor]:
    """Return the nearest misclassified points for given constants, and their squared distances.

    The distance is infinity where there was none.
    """
    nearest, distance = x.clone(), torch.full_like(constant, torch.inf)
    rows, interval = _start(x, y, constant), max(1, budget.steps // 10)
    for step in range(budget.steps):
        loss = _iterate(logits, rows, step, budget)
        if not (budget.abort_early and step):  # step 0 is the image itself
            continue
        rows.lowest = torch.minimum(rows.lowest, loss)
        if step % interval:
            continue
        going = rows.lowest <= 0.9999 * rows.before
        rows.lowest, rows.before = torch.full_like(loss, torch.inf), rows.lowest
        if bool(going.all()):
            continue
        nearest[rows.row], distance[rows.row] = rows.nearest, rows.distance
        rows = rows.only(going)
        if len(rows.row) == 0:
            break
    nearest[rows.row], distance[rows.row] = rows.nearest, rows.distance
    return nearest, distance


def _iterate(logits: Logits, rows: _Rows, step: int, budget: CarliniWagner) -> Tensor:
    """Judge the points, then move them by one step of Adam; return the loss before the step."""
    with torch.enable_grad():
        w = rows.w.detach().requires_grad_()
        point = _image(w)
        scores = logits(point)
        lead = _lead(scores, rows.y) + budget.confidence
        length = (point - rows.origin).flatten(1).square().sum(dim=1)
        loss = length + rows.constant * lead.clamp_min(0)
    slope = gradient(loss, w)
    fooled = lead < -CLEAR * scores.abs().amax(dim=1)
    nearer = fooled & (length < rows.distance)
    rows.nearest = torch.where(_broad(nearer, w), point.detach(), rows.nearest)
    rows.distance = torch.where(nearer, length.detach(), rows.distance)
    rows.first.lerp_(slope, 1 - FIRST_DECAY)
    rows.second.lerp_(slope.square(), 1 - SECOND_DECAY)
    root = (rows.second / (1 - SECOND_DECAY ** (step + 1))).sqrt_().add_(TINY)
    rate = budget.learning_rate / (1 - FIRST_DECAY ** (step + 1))
    rows.w = rows.w.addcdiv(rows.first, root, value=-rate)
    return loss.detach()


def _lead(scores: Tensor, y: Tensor) -> Tensor:
    """Return how far the label's logit leads the best other one; negative: misclassified."""
    own, others = own_and_others(scores, y)
    return own - others.amax(dim=1)


def _image(w: Tensor) -> Tensor:
    """Return the image in (0, 1) that a point in tanh space stands for."""
    return (w.tanh() + 1) / 2


def _broad(values: Tensor, x: Tensor) -> Tensor:
    """Shape one value per image to broadcast over `x`."""
    return values.view(-1, *[1] * (x.dim() - 1))
