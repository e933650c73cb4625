"""Square in L2 (Andriushchenko et al., 2020): random search by scores alone, no gradients.

It sees what hides behind a gradient that vanishes or misleads. Not built on ART's: that divides by
the norm a window may have where the paper multiplies with it, draws one place for all images, from
Python's generator too, which robench does not seed, and predicts every image three times a query.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import Attack, Presets
from robench.errors import UserError
from robench.gradient import with_norm, within
from robench_attacks.gradient import broad, total
from robench_attacks.lanes import Lanes, drive
from robench_attacks.limits import above_zero, at_least
from robench_attacks.network import Network, clearly_fooled, lead
from robench_attacks.windows import Windows, bumps

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier

HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the queries after which the windows' area is halved (the authors' schedule)."""
SMALLEST = 3
"""Side of the smallest window, in pixels; all sides are odd."""
ACROSS = 5
"""Tiles that the first point has along the image's shorter side."""


@dataclass(frozen=True)
class Square(Attack):
    """Random windows of the perturbation are redrawn; what lowers the label's lead is kept."""

    streams: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"strong": ({"images": 100},)}

    eps: float = 0.5
    """L2 radius on [0, 1] images that the perturbation stays within."""
    queries: int = 5000
    """Most points of an image whose scores are asked for, the image itself not counted."""
    share: float = 0.8
    """Share of the image that the first windows cover, above 0, at most 1: p in the paper, 0.1
    there in L2; 0.8 is AutoAttack's."""
    images: int = 0
    """Most images of an evaluation to attack, the first; 0: all. One that resists takes as long as
    a hundred do of an attack that follows gradients."""

    def __post_init__(self) -> None:
        above_zero(self, "eps", "share")
        at_least(self, queries=1, images=0)
        if self.share > 1:
            raise UserError(f"Square: share={self.share} must be at most 1")

    @property
    def radius(self) -> float:
        """Return `eps`."""
        return self.eps

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
            "ART's Square in L2 draws from a generator that cannot be seeded here, and scales its "
            "windows wrongly; run it with --engine robench"
        )

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `square`."""
        return square(network, x, y, self)


def square(network: Network, x: Tensor, y: Tensor, budget: Square) -> Tensor:
    """Return a misclassified point within `eps` of `x`, or, failing that, that of the least lead.

    `x`: (n, channels, height, width) in [0, 1]; `y`: int64 (n,). An image that is misclassified
    already comes back as it is. Draws from torch's global generator.
    """
    result, windows = x.clone(), sides(budget, x.shape[2], x.shape[3]).to(x.device)

    def start(images: Tensor) -> _Search:
        return _Search.at(rows[images], x[rows[images]], y[rows[images]])

    def advance(search: _Search) -> Tensor:
        search.ask(network, search.proposed(budget.eps, windows[search.age]))
        return (search.fooled | (search.age >= budget.queries)).nonzero().squeeze(1)

    def finish(search: _Search) -> None:
        result[search.row] = search.point

    with torch.no_grad():
        rows = _standing(network, x, y).nonzero().squeeze(1)
        drive(torch.arange(len(rows), device=x.device), network.lanes, start, advance, finish)
    return result


def sides(budget: Square, height: int, width: int) -> Tensor:
    """Return the side of the windows of each query, int64 (queries,), in pixels."""
    done = torch.arange(budget.queries, dtype=torch.float64) / budget.queries
    halved = torch.bucketize(done, torch.tensor(HALVINGS, dtype=torch.float64))
    area = budget.share * height * width * 0.5**halved
    side = area.sqrt().round().long().clamp_min(SMALLEST)
    return (side + (side % 2 == 0)).clamp_max(min(height, width))


def tiled(x: Tensor, eps: float) -> Tensor:
    """Return the first point of each image: tiles of random signs and turns, `eps` away.

    `x`: (n, channels, height, width) in [0, 1], and so is the result.
    """
    count, channels, height, width = x.shape
    side = max(1, min(height, width) // ACROSS)
    down, across = height // side, width // side
    along = torch.arange(side, device=x.device)
    tile = bumps(along.view(1, -1, 1), along.view(1, 1, -1), torch.tensor([side], device=x.device))
    tile = tile.to(x.dtype).view(1, 1, side, side)
    turned = _spread(_coins(count, 1, down, across, device=x.device), side)
    signs = _spread(_coins(count, channels, down, across, device=x.device), side) * 2 - 1
    drawn = torch.where(turned > 0, tile.mT.tile(down, across), tile.tile(down, across)) * signs
    change, top, left = torch.zeros_like(x), (height % side) // 2, (width % side) // 2
    change[:, :, top : top + down * side, left : left + across * side] = drawn
    return (x + with_norm(change, eps)).clamp_(0, 1)


def redrawn(x: Tensor, point: Tensor, eps: float, side: Tensor) -> Tensor:
    """Return each `point` with the change in one window drawn anew and in another taken back.

    What the two held of the change's L2 norm, and what of `eps` was not used, goes into the first
    (Algorithm 3 of the paper). `side`: int64 (n,), of both windows.
    """
    count, channels, height, width = x.shape
    change = point - x
    first, other = (Windows.drawn(side, height, width) for _ in range(2))
    signs = _coins(count, channels, 1, 1, device=x.device) * 2 - 1
    turned = _coins(count, 1, 1, device=x.device) > 0
    shape = first.bumps(turned).to(x.dtype).unsqueeze(1) * signs
    held, inside = first.mask.unsqueeze(1), (first.mask | other.mask).unsqueeze(1)
    fresh = _unit(shape + _unit(change * held))
    unused = broad((eps**2 - total(change.square())).clamp_min(0) / channels, x)
    length = ((change * inside).square().sum(dim=(2, 3), keepdim=True) + unused).sqrt()
    changed = torch.where(held, fresh * length, change.masked_fill(inside, 0))
    return (x + within(changed, eps)).clamp_(0, 1)


@dataclass
class _Search(Lanes):
    """Images under search."""

    x: Tensor
    y: Tensor
    point: Tensor
    """The best point, and the label's lead there."""
    lead: Tensor
    age: Tensor
    """Queries made."""
    fooled: Tensor

    @classmethod
    def at(cls, row: Tensor, x: Tensor, y: Tensor) -> "_Search":
        """Begin at the images; the first point is kept whatever its lead."""
        never = x.new_full((len(x),), torch.inf)
        return cls(row, x, y, x, never, row * 0, torch.zeros_like(row, dtype=torch.bool))

    def proposed(self, eps: float, side: Tensor) -> Tensor:
        """Return the next point to ask for."""
        point, new = redrawn(self.x, self.point, eps, side), (self.age == 0).nonzero().squeeze(1)
        if len(new):
            point[new] = tiled(self.x[new], eps)
        return point

    def ask(self, network: Network, point: Tensor) -> None:
        """Ask for the points' scores, and keep those that are better than the best."""
        scores = network(point)
        leading = lead(scores, self.y)
        better = leading < self.lead
        self.fooled = better & clearly_fooled(scores, self.y)
        self.point = torch.where(broad(better, self.x), point, self.point)
        self.lead = torch.where(better, leading, self.lead)
        self.age = self.age + 1


def _standing(network: Network, x: Tensor, y: Tensor) -> Tensor:
    parts = zip(x.split(network.lanes), y.split(network.lanes), strict=True)
    found = [~clearly_fooled(network(image), label) for image, label in parts if len(image)]
    return torch.cat(found) if found else torch.zeros_like(y, dtype=torch.bool)


def _coins(*shape: int, device: torch.device) -> Tensor:
    return torch.randint(0, 2, shape, device=device)


def _spread(values: Tensor, side: int) -> Tensor:
    return values.repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)


def _unit(change: Tensor) -> Tensor:
    """Scale each channel of each image to L2 norm 1; one that is all zero stays so."""
    length = change.square().sum(dim=(2, 3), keepdim=True).sqrt()
    return change / length.clamp_min(1e-12)
