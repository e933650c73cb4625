"""The search of C&W for each image's constant: a descent for each that is tried."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from robench_attacks.descent import Descents, from_tanh, to_tanh
from robench_attacks.gradient import broad
from robench_attacks.lanes import Lanes
from robench_attacks.network import Network

UNBOUNDED = 1e10
"""Upper bound of a constant that has never sufficed (the original's)."""
LEAST = 10
"""With so many searches or more, the last tries the least constant that sufficed (likewise)."""


@dataclass
class Begin(Lanes):
    """Images before their first descent."""

    x: Tensor
    y: Tensor
    point: Tensor
    """Where the descents begin."""
    distance: Tensor
    """Squared, of that point if it is misclassified; infinite otherwise."""
    constant: Tensor
    """The first to try."""


@dataclass
class Searches(Descents):
    """Images under descent for one constant after the other."""

    lower: Tensor
    """The largest constant that failed, and the least that sufficed."""
    upper: Tensor
    tried: Tensor
    """Constants done with."""
    best: Tensor
    """The nearest misclassified point of all descents, and its squared distance."""
    shortest: Tensor
    start: Tensor
    """Where each descent begins."""

    @classmethod
    def at(cls, network: Network, begin: Begin, confidence: float) -> Self:
        """Begin the first descents."""
        one = begin.constant
        unknown, none = torch.full_like(one, torch.nan), torch.zeros_like(one)
        empty = torch.empty_like(begin.x)
        never = torch.full_like(one, torch.inf)
        searches = cls(
            row=begin.row,
            y=begin.y,
            origin=from_tanh(to_tanh(begin.x)),
            known=unknown,
            constant=one,
            w=empty,
            first=empty,
            second=empty,
            age=none,
            nearest=empty,
            distance=never,
            offset=unknown,
            lowest=never,
            least=never,
            stood=none,
            lower=none,
            upper=torch.full_like(one, UNBOUNDED),
            tried=none,
            best=torch.where(broad(begin.distance.isfinite(), begin.x), begin.point, begin.x),
            shortest=begin.distance,
            start=begin.point,
        )
        searches.begin(network, confidence)
        return searches

    def begin(self, network: Network, confidence: float) -> None:
        """Put every image where its descents begin."""
        self.w = to_tanh(self.start)
        self.first, self.second = torch.zeros_like(self.w), torch.zeros_like(self.w)
        self.age, self.stood = torch.zeros_like(self.constant), torch.zeros_like(self.constant)
        self.nearest = self.start
        never = torch.full_like(self.constant, torch.inf)
        self.distance, self.lowest, self.least = never, never, never.clone()
        self.offset = torch.full_like(self.constant, torch.nan)
        if network.approximate:
            self.known = network.leads(from_tanh(self.w), self.y, confidence)

    def settle(self, over: Tensor, network: Network, searches: int, confidence: float) -> Tensor:
        """Take stock of the descents at `over` and begin the next; tell who has had them all."""
        if not len(over):
            return over
        lanes = self.only(over)
        nearer = lanes.distance < lanes.shortest
        lanes.best = torch.where(broad(nearer, lanes.best), lanes.nearest, lanes.best)
        lanes.shortest = torch.where(nearer, lanes.distance, lanes.shortest)
        lanes.constant, lanes.lower, lanes.upper = bisect(
            lanes.constant, lanes.lower, lanes.upper, lanes.distance.isfinite()
        )
        lanes.tried = lanes.tried + 1
        if searches >= LEAST:
            last = lanes.tried == searches - 1
            lanes.constant = torch.where(last, lanes.upper, lanes.constant)
        lanes.begin(network, confidence)
        self.put(over, lanes)
        return over[lanes.tried >= searches]


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
