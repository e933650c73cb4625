"""Hops along a decision boundary that only labels show: a normal, a step, the way back."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from robench.gradient import norms
from robench_attacks.boundary import TINY
from robench_attacks.draws import Draws
from robench_attacks.gradient import broad, unit
from robench_attacks.lanes import Lanes
from robench_attacks.network import Network

HALVINGS = 12
"""Of the way from the image to a point, when the boundary on it is sought."""
SHORTENINGS = 10
"""Most lengths of a step that are tried, each half the one before."""
FEWEST = 10
"""Directions without which a normal is not worth estimating."""
REACH = 0.1
"""How far around a point the normal is estimated, as a share of its distance from the image.
A tenth was 2 to 4 % nearer than a hundredth on CIFAR-10; it sees over rounded pixels, too."""
NEARER = 0.9
"""Share of the distance of the nearest start at which the next one is asked for."""
PIECE = 16
"""Directions of an image that are drawn at once, whatever the batch."""


def misread(network: Network, point: Tensor, y: Tensor) -> Tensor:
    """Tell which points are not classified as `y`, (n,): all that is ever asked of the network."""
    parts = zip(point.split(network.lanes), y.split(network.lanes), strict=True)
    return torch.cat([network(some).argmax(dim=1) != label for some, label in parts])


@dataclass
class Hops(Lanes):
    """Images in work, each with a misclassified point next to the boundary."""

    x: Tensor
    y: Tensor
    point: Tensor
    nearest: Tensor
    """The nearest point so far, and how far it is in L2, (n,)."""
    distance: Tensor
    left: Tensor
    """Queries that may still be made, int64 (n,)."""
    age: Tensor
    """Hops made."""

    @property
    def spare(self) -> Tensor:
        """What can be spent on a normal, if the hop that follows is to be paid too, (n,)."""
        return self.left - SHORTENINGS - HALVINGS

    @classmethod
    def from_starts(
        cls, network: Network, x: Tensor, y: Tensor, draws: Draws, queries: int, starts: int
    ) -> Self:
        """Begin at the images that are classified as `y`, from the nearest of random starts.

        Where none of them is misclassified, drawing goes on as long as there are queries.
        """
        row = (~misread(network, x, y)).nonzero().squeeze(1)
        x, y = x[row], y[row]
        never, left = x.new_full((len(row),), torch.inf), torch.full_like(row, queries)
        hops = cls(row, x, y, x, x, never, left, torch.zeros_like(row))
        for count in range(queries):
            sought = hops.distance.isinf() if count >= starts else torch.ones_like(row).bool()
            asking = (sought & (hops.left > HALVINGS)).nonzero().squeeze(1)
            if not len(asking):
                break
            some = hops.only(asking)
            some.try_start(network, draws.starts(some.row.tolist(), _side(count, x)))
            hops.put(asking, some)
        hops.point = hops.nearest
        return hops.only(hops.distance.isfinite())

    def try_start(self, network: Network, start: Tensor) -> None:
        """Ask for `start`, or for what is clearly nearer than `nearest` on the way to it."""
        way = start - self.x
        share = NEARER * self.distance / norms(way).flatten().clamp_min(TINY)
        self.point = _along(self.x, way, share.clamp_max(1))
        self.left = self.left - 1
        self.come_back(network, misread(network, self.point, self.y))

    def come_back(self, network: Network, which: Tensor) -> None:
        """Move the points of `which`, a mask, to the boundary on the way to their images."""
        at = which.nonzero().squeeze(1)
        if not len(at):
            return
        x, y, point = self.x[at], self.y[at], self.point[at]
        way, near, far = point - x, x.new_zeros(len(x)), x.new_ones(len(x))
        for _ in range(HALVINGS):
            middle = (near + far) / 2
            fooled = misread(network, _along(x, way, middle), y)
            far, near = torch.where(fooled, middle, far), torch.where(fooled, near, middle)
        point = torch.where(broad(far < 1, x), _along(x, way, far), point)
        length = norms(point - x).flatten()
        nearer = length < self.distance[at]
        nearest = torch.where(broad(nearer, x), point, self.nearest[at])
        self.point = self.point.index_copy(0, at, point)
        self.nearest = self.nearest.index_copy(0, at, nearest)
        self.distance = self.distance.index_copy(0, at, length.minimum(self.distance[at]))
        self.left = self.left - HALVINGS * which

    def normal(self, network: Network, draws: Draws, directions: int) -> Tensor:
        """Estimate the boundary's unit normal at each point, towards what is misclassified."""
        wanted = (directions * (self.age + 1).double().sqrt()).long()
        wanted = torch.minimum(wanted, self.spare)
        toward, drift = torch.zeros_like(self.x), torch.zeros_like(self.x)
        votes = torch.zeros_like(self.distance)
        for begun in range(0, int(wanted.max()), PIECE):
            at = (wanted > begun).nonzero().squeeze(1)
            some = self.only(at)
            counted = begun + torch.arange(PIECE, device=wanted.device) < wanted[at].unsqueeze(1)
            change, vote = some._votes(network, draws, counted)
            toward[at] += (change * vote.view(*vote.shape, 1, 1, 1)).sum(dim=1)
            drift[at] += (change * counted.view(*vote.shape, 1, 1, 1)).sum(dim=1)
            votes[at] += vote.sum(dim=1)
        self.left = self.left - wanted
        mean = votes / wanted
        return unit(toward - broad(mean * (mean.abs() < 1), self.x) * drift)

    def _votes(self, network: Network, draws: Draws, counted: Tensor) -> tuple[Tensor, Tensor]:
        reach = (REACH * norms(self.point - self.x)).clamp_min(TINY).unsqueeze(1)
        drawn = draws.directions(self.row.tolist(), PIECE)
        centre = self.point.unsqueeze(1)
        asked = (centre + reach * drawn).clamp_(0, 1)
        y = self.y.unsqueeze(1).expand(counted.shape)
        vote = torch.zeros(counted.shape, dtype=self.x.dtype, device=self.x.device)
        vote[counted] = misread(network, asked[counted], y[counted]).to(vote.dtype) * 2 - 1
        return (asked - centre) / reach, vote

    def jump(self, network: Network, normal: Tensor) -> None:
        """Step along `normal`, as far as the point stays misclassified, and come back."""
        length = norms(self.point - self.x).flatten() / (self.age + 1).sqrt()
        at, landed = torch.arange(len(self), device=length.device), torch.zeros_like(self.age)
        for _ in range(SHORTENINGS):
            if not len(at):
                break
            tried = _along(self.point[at], normal[at], length[at])
            fooled = misread(network, tried, self.y[at])
            self.left = self.left.index_add(0, at, -torch.ones_like(at))
            self.point = self.point.index_copy(0, at[fooled], tried[fooled])
            landed[at[fooled]] = 1
            at, length = at[~fooled], length / 2
        self.age = self.age + 1
        self.come_back(network, landed > 0)


def _along(x: Tensor, way: Tensor, share: Tensor) -> Tensor:
    return (x + broad(share, x) * way).clamp_(0, 1)


def _side(count: int, x: Tensor) -> int:
    """Return the side of a start's squares: the image's, half of it, and so on to 1, and again."""
    halvings = max(x.shape[2:]).bit_length()
    return max(1, max(x.shape[2:]) >> count % halvings)
