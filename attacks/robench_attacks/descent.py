"""The descent of C&W: Adam in tanh space, for images that each have a constant of their own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robench_attacks.gradient import broad, total
from robench_attacks.lanes import Lanes
from robench_attacks.network import Network, keep_nearer, lead, lead_slope

FIRST_DECAY, SECOND_DECAY, TINY = 0.9, 0.999, 1e-8
"""Adam's (Kingma & Ba, 2015)."""
STILL, PATIENCE = 1e-3, 2
"""An image's loss stands still once so many stretches have not lowered it by this share."""
INSIDE = 0.999999
"""Shrinks the box, as the original does, so that tanh space holds its edges."""


@dataclass
class Descents(Lanes):
    """Images under descent."""

    y: Tensor
    origin: Tensor
    """The image as tanh space represents it."""
    known: Tensor
    """The exact lead of the label where the descent begins, confidence included; NaN: unknown."""
    constant: Tensor
    w: Tensor
    """The point in tanh space."""
    first: Tensor
    """Adam's moments."""
    second: Tensor
    age: Tensor
    """Iterations made."""
    nearest: Tensor
    """The nearest misclassified point, and its squared distance."""
    distance: Tensor
    offset: Tensor
    """What to add to the leads that the search sees; NaN: not measured yet."""
    lowest: Tensor
    """The least loss since the last check, the least before, and for how many checks it stood."""
    least: Tensor
    stood: Tensor

    def descend(self, network: Network, steps: int, rate: float, confidence: float) -> None:
        """Judge the points and move them by one step of Adam, `steps` times."""
        for _ in range(steps):
            self._step(network, rate, confidence)

    def _step(self, network: Network, rate: float, confidence: float) -> None:
        bent = self.w.tanh()
        point = bent.mul(0.5).add_(0.5)
        slope, scores = lead_slope(network, point, self.y)
        leading = self._corrected(lead(scores, self.y) + confidence, network)
        away = point - self.origin
        length = total(away.square())
        loss = length + self.constant * leading.clamp_min(0)
        self.lowest = torch.where(self.age > 0, torch.minimum(self.lowest, loss), self.lowest)
        given = {"scores": scores, "leading": leading, "length": length}
        keep_nearer(network, self, point, **given, confidence=confidence)
        pull = broad(self.constant * (leading > 0), slope)
        slope = slope.mul_(pull).add_(away, alpha=2)  # by the image, then by w
        slope.mul_(bent.square_().neg_().add_(1)).mul_(0.5)
        self._adam(slope, rate)

    def _corrected(self, leading: Tensor, network: Network) -> Tensor:
        """Return the leads as exactly as is known; at the start they are known."""
        if network.approximate:
            self.offset = torch.where(self.offset.isnan(), self.known - leading, self.offset)
            return leading + self.offset
        return leading

    def _adam(self, slope: Tensor, rate: float) -> None:
        self.age = self.age + 1
        self.first.lerp_(slope, 1 - FIRST_DECAY)
        self.second.mul_(SECOND_DECAY).addcmul_(slope, slope, value=1 - SECOND_DECAY)
        # sqrt(v / b) = sqrt(v) / sqrt(b): one value an image instead of one a pixel
        unbias = (1 - SECOND_DECAY**self.age).sqrt()
        pace = rate * unbias / (1 - FIRST_DECAY**self.age)
        root = self.second.sqrt().add_(broad(TINY * unbias, slope))
        self.w.sub_((self.first / root).mul_(broad(pace, slope)))

    def standing(self) -> Tensor:
        """Tell whose loss has stood still for `PATIENCE` checks, this one included."""
        fell = self.lowest <= (1 - STILL) * self.least
        self.stood = torch.where(fell, 0, self.stood + 1)
        self.least = torch.minimum(self.least, self.lowest)
        self.lowest = torch.full_like(self.lowest, torch.inf)
        return self.stood >= PATIENCE


def stretch(steps: int) -> int:
    """Return how many iterations lie between two checks: a divisor of `steps`, at least 10."""
    least = min(steps, max(10, -(-steps // 10)))
    return next(length for length in range(least, steps + 1) if steps % length == 0)


def to_tanh(x: Tensor) -> Tensor:
    """Return the point in tanh space that stands for an image in [0, 1]."""
    return ((2 * x - 1) * INSIDE).atanh()


def from_tanh(w: Tensor) -> Tensor:
    """Return the image in (0, 1) that a point in tanh space stands for."""
    return (w.tanh() + 1) / 2
