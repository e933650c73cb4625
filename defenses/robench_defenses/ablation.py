"""PGN whose generator lacks one of its inputs (the paper, Figure 8)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from robench_defenses.generator import Generator
from robench_defenses.pgn import PGN, Logits


@dataclass
class PGNAblation(PGN):
    """Train as PGN does, the generator blind to one input: it is shown zeros instead.

    Zeros rather than a network without those channels: layers, capacity and initial weights stay
    those of PGN, so that only the information differs; and without labels the generator's dense
    layers would have no input at all.
    """

    without: Literal["gradient", "image", "label"] = "gradient"
    """The input left out."""

    def generator(self, shape: tuple[int, int, int], classes: int) -> Generator:
        """Return a fresh generator that lacks the input."""
        return Generator(shape, classes, self.generator_width, self.without)

    def gradient_image(self, model: Logits, x: Tensor, y: Tensor, batch: int) -> Tensor:
        """Return the gradient image, or zeros where the generator does not look at it."""
        if self.without == "gradient":
            return torch.zeros_like(x)  # what is not shown need not be computed
        return super().gradient_image(model, x, y, batch)
