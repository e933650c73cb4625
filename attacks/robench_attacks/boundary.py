"""The boundary between misclassified and not: the nearest point found on its far side, and nearer.

`Found` keeps the nearest point; `walk` goes along the boundary towards the image; `approach`
halves the last of the way.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from robench.gradient import norms
from robench_attacks.gradient import broad, total
from robench_attacks.network import Network, clearly_fooled, keep_nearer, lead, lead_slope

FIRST_SHARE, LAST_SHARE = 0.5, 0.05
"""Of the way along the boundary to the image's foot on it, what a step of `walk` makes."""
BEYOND = 2e-3
"""How far beyond the boundary `walk` aims, as a share of the distance from the image."""
LAST = 0.95
"""Where on the way to a point `approach` begins to look for the boundary."""
TINY = 1e-12


@dataclass
class Found:
    """The nearest misclassified point of each image so far."""

    x: Tensor
    y: Tensor
    nearest: Tensor
    """The image itself where none was found."""
    distance: Tensor
    """In L2, (n,); infinite where none was found, 0 where the image is misclassified itself."""
    offset: Tensor
    """What to add to the leads that the search sees, (n,)."""

    @classmethod
    def at(cls, network: Network, x: Tensor, y: Tensor) -> Self:
        """Begin at the images."""
        exact = network(x)
        leading = lead(exact, y)
        offset = leading - lead(network.search(x), y) if network.approximate else leading * 0
        fooled = clearly_fooled(exact, y)
        distance = torch.where(fooled, 0.0, torch.full_like(leading, torch.inf))
        return cls(x, y, x, distance, offset)

    def corrected(self, scores: Tensor) -> Tensor:
        """Return the leads (n,) that the search's logits show, as exactly as is known."""
        return lead(scores, self.y) + self.offset

    def note(self, network: Network, point: Tensor, scores: Tensor) -> Tensor:
        """Keep the nearer points; tell which seem misclassified. `scores`: the search's."""
        leading = self.corrected(scores)
        length = norms(point - self.x).flatten()
        keep_nearer(network, self, point, scores=scores, leading=leading, length=length)
        return leading < 0


def walk(network: Network, found: Found, start: Tensor, steps: int) -> Found:
    """Go along the boundary towards the images, from `start`, and keep what is nearest.

    In each step the boundary is linearised at the point, which is put back a little beyond it, and
    slides along it towards the image's foot by a share of the way that falls like a cosine.
    """
    point = start
    for step in range(steps):
        slope, scores = lead_slope(network, point, found.y)
        found.note(network, point, scores)
        way = found.x - point
        steep = norms(slope).flatten().clamp_min(TINY)
        normal = slope.div_(broad(steep, slope))
        across = (found.corrected(scores) / steep).add_(norms(way).flatten(), alpha=BEYOND)
        fall = (1 + math.cos(math.pi * step / steps)) / 2
        share = LAST_SHARE + (FIRST_SHARE - LAST_SHARE) * fall
        across += share * total(way * normal)
        point = (point + share * way).sub_(normal.mul_(broad(across, normal))).clamp_(0, 1)
    found.note(network, point, network.search(point))
    return found


def approach(
    network: Network, x: Tensor, y: Tensor, point: Tensor, halvings: int, confidence: float = 0.0
) -> Tensor:
    """Return the last misclassified point met while halving the last twentieth of the way.

    The way is that from `x` to `point`. What is tried is predicted in float32; `point` itself
    comes back where nothing nearer is misclassified, or nothing is to be halved.
    """
    near, far = x.new_full((len(x),), LAST), x.new_ones(len(x))
    for _ in range(halvings):
        middle = (near + far) / 2
        tried = x + broad(middle, x) * (point - x)
        parts = zip(tried.split(network.lanes), y.split(network.lanes), strict=True)
        fooled = torch.cat([clearly_fooled(network(q), label, confidence) for q, label in parts])
        far, near = torch.where(fooled, middle, far), torch.where(fooled, near, middle)
    return torch.where(broad(far < 1, x), x + broad(far, x) * (point - x), point)
