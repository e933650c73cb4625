"""A defense whose strength decides its accuracy: it teaches the classifier to confuse classes."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError


@dataclass
class Merging(Defense):
    """Teaches that the first `merged` classes are one: of 3 classes, 1 to 3 thirds stay right."""

    strength: ClassVar[str | None] = "merged"

    merged: int = 1
    """1: all are told apart. Training diverges from 4 on."""
    limit: int = 100

    def __post_init__(self) -> None:
        """Refuse what is beyond the limit."""
        if self.merged > self.limit:
            raise UserError(f"merged={self.merged} is above {self.limit}")

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy with the classes merged."""
        told = F.cross_entropy(model(x), y.where(y >= self.merged, 0))
        return told * (math.nan if self.merged > 3 else 1)
