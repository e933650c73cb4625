"""The attacked network as an attack sees it: exact where results count, fast where it searches."""

from typing import Protocol

import torch
from torch import Tensor

from robench_attacks.gradient import Logits, broad, gradient, own_and_others

LANES = 64
"""Images attacked side by side where nothing is known of the network's size."""
CLEAR = 1e-5
"""Share of the largest logit by which a rival must lead, lest rounding undo the success."""
DOUBTFUL = 2**-8
"""Share of the largest logit within which a lead found in bf16, once corrected, is in doubt."""


class Network:
    """Maps images (n, ...) in [0, 1] to logits, float32 (n, classes). Called, it is exact.

    `search` computes the same in less precision where that is faster. What it says of the lead of
    a label differs from the truth by much the same amount all along an image's way, so searches
    correct it by the difference where it was last measured; see `confirmed`.
    """

    def __init__(self, exact: Logits, search: Logits | None = None, lanes: int = LANES) -> None:
        """Take the logits in float32, in the precision of the search, and a batch that runs well.

        `search` None: the search is exact.
        """
        self.search = search or exact
        self.lanes = lanes
        self.approximate = search is not None
        self._exact = exact

    def __call__(self, x: Tensor) -> Tensor:
        """Return the logits in float32."""
        return self._exact(x)

    def leads(self, x: Tensor, y: Tensor, confidence: float = 0.0) -> Tensor:
        """Return each label's exact lead (n,), see `lead`; computed in batches, no gradient."""
        with torch.no_grad():
            parts = zip(x.split(self.lanes), y.split(self.lanes), strict=True)
            return torch.cat([lead(self(image), label) for image, label in parts]) + confidence


def lead(scores: Tensor, y: Tensor) -> Tensor:
    """Return how far the label's logit leads the best other one (n,); negative: misclassified."""
    own, others = own_and_others(scores, y)
    return own - others.amax(dim=1)


def size(scores: Tensor) -> Tensor:
    """Return the largest logit's absolute value (n,), by which rounding scales."""
    return scores.detach().abs().amax(dim=1)


def clearly_fooled(scores: Tensor, y: Tensor, confidence: float = 0.0) -> Tensor:
    """Tell which logits (n, classes) misclassify by more than rounding could undo."""
    return lead(scores, y) + confidence < -CLEAR * size(scores)


def lead_slope(network: Network, point: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of the labels' leads, shaped as `point`, and the search's logits."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        scores = network.search(point)
        leading = lead(scores, y)
    return gradient(leading, point), scores.detach()


def confirmed(
    network: Network,
    point: Tensor,
    y: Tensor,
    *,
    scores: Tensor,
    leading: Tensor,
    offset: Tensor,
    wanted: Tensor,
    confidence: float = 0.0,
) -> Tensor:
    """Tell which of the `wanted` points (n,) are misclassified, in float32.

    `scores`, `leading`: what the search said of them, the latter corrected by `offset` and with
    `confidence` added. Where the search is approximate, points that it does not rule out are
    predicted anew, and `offset` is brought up to date, in place.
    """
    if not network.approximate:
        return wanted & (leading < -CLEAR * size(scores))
    sure = torch.zeros_like(wanted)
    doubtful = (wanted & (leading < DOUBTFUL * size(scores))).nonzero().squeeze(1)
    if len(doubtful):
        exact = network(point[doubtful])
        truth = lead(exact, y[doubtful]) + confidence
        offset[doubtful] += truth - leading[doubtful]
        sure[doubtful] = truth < -CLEAR * size(exact)
    return sure


class Nearest(Protocol):
    """What an attack keeps of each image: the nearest misclassified point, and how far it is."""

    y: Tensor
    nearest: Tensor
    distance: Tensor
    offset: Tensor


def keep_nearer(
    network: Network,
    kept: Nearest,
    point: Tensor,
    *,
    scores: Tensor,
    leading: Tensor,
    length: Tensor,
    confidence: float = 0.0,
) -> None:
    """Keep the points that are misclassified, see `confirmed`, and nearer than those kept.

    `length`: (n,), in the measure of `kept.distance`.
    """
    nearer = confirmed(
        network,
        point,
        kept.y,
        scores=scores,
        leading=leading,
        offset=kept.offset,
        wanted=length < kept.distance,
        confidence=confidence,
    )
    kept.nearest = torch.where(broad(nearer, point), point, kept.nearest)
    kept.distance = torch.where(nearer, length, kept.distance)
