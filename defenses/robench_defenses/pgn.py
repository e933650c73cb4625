"""Adversarial training with a perturbation generator network (the paper, Section 3.2)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError
from robench.gradient import image_gradient, with_norm
from robench_defenses.generator import Generator

Logits = Callable[[Tensor], Tensor]
"""A classifier: maps images (n, ...) to logits (n, classes)."""


@dataclass
class PGN(Defense):
    """Train against a generator that is trained, in turn, to raise the classifier's loss (Eq. 4).

    `code` follows the authors' published code: both networks move on losses of one forward pass,
    the gradient image is that of the batch mean and is differentiated through. `paper` follows the
    text: the two alternate, and the gradient image is per image, detached and of unit norm.
    """

    strength: ClassVar[str | None] = "c_l"
    stronger: ClassVar[Literal["up", "down"]] = "down"

    c_l: float = 50.0
    """Price of a perturbation's squared L2 norm, 1 / (2 sigma^2); lower is stronger (Eq. 4)."""
    preset: Literal["code", "paper"] = "code"
    """Whose reading of the method to follow."""
    generator_width: float = 1.0
    """Multiplies every filter count of the generator of Table 1."""

    def __post_init__(self) -> None:
        """Refuse a price at which perturbations grow without bound."""
        if self.c_l <= 0:
            raise UserError(f"c_l={self.c_l} is not above 0; the paper's tables use 50")
        if not 0 < self.generator_width <= 64:
            raise UserError(f"generator_width={self.generator_width} is not in (0, 64]")

    def networks(self, shape: tuple[int, int, int], classes: int) -> Mapping[str, nn.Module]:
        """Build the generator and use it from now on."""
        if shape[1] % 4 or shape[2] % 4:
            raise UserError(
                f"pgn needs image sides divisible by 4, these are {shape[1]} x {shape[2]}"
            )
        generator = self.generator(shape, classes)
        self.use(generator)
        return {"generator": generator}

    def generator(self, shape: tuple[int, int, int], classes: int) -> Generator:
        """Return a fresh generator."""
        return Generator(shape, classes, self.generator_width)

    def use(self, generator: nn.Module) -> None:
        """Perturb with `generator` from now on."""
        self._generator = generator

    def perturb(self, model: Logits, x: Tensor, y: Tensor, batch: int | None = None) -> Tensor:
        """Return the generator's adversarial images (Eq. 5).

        `batch`: the batch size that the gradient image of `code` is divided by; None: that of the
        batch that `x` is of.
        """
        gradient = self.gradient_image(model, x, y, batch or self.batch_size(x))
        return in_tanh_space(x, self._generator(gradient, x, y).to(x.dtype))

    def gradient_image(self, model: Logits, x: Tensor, y: Tensor, batch: int) -> Tensor:
        """Return what the generator sees of the classifier, shaped as `x`."""
        through = self.preset == "code"
        gradient = probability_gradient(model, x, y, through=through)
        return gradient / batch if through else with_norm(gradient, 1.0)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on the generator's images: what the classifier descends."""
        return F.cross_entropy(model(self.perturb(model, x, y)), y)

    def updates(self, model: nn.Module, x: Tensor, y: Tensor) -> Iterator[Mapping[str, Tensor]]:
        """Yield both losses at once (`code`), or the generator's and then the classifier's."""
        adversarial = self.perturb(model, x, y)
        loss = F.cross_entropy(model(adversarial), y)
        penalty = self.c_l * (adversarial - x).flatten(1).square().sum(dim=1).mean()
        self.observe(adversarial - x)
        if self.preset == "code":
            yield {"classifier": loss, "generator": penalty - loss}
            return
        yield {"generator": penalty - loss}
        if not any(weight.requires_grad for weight in model.parameters()):
            return  # a frozen classifier has no use for a round of its own
        with torch.no_grad():
            moved = self.perturb(model, x, y)
        yield {"classifier": F.cross_entropy(model(moved), y)}


def probability_gradient(model: Logits, x: Tensor, y: Tensor, *, through: bool) -> Tensor:
    """Return the gradient of each image's true-class probability (Section 3.1), in float32.

    The softmax is of float32 whatever the autocast, since it saturates. The network is not: bf16
    reaches as near to zero as float32, half precision underflows. `through`: keep the graph.
    """

    def probability(logits: Tensor) -> Tensor:
        exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return exact.softmax(dim=1).gather(1, y[:, None]).sum()

    return image_gradient(model, x.detach(), probability, through=through)


def in_tanh_space(x: Tensor, perturbation: Tensor) -> Tensor:
    """Add `perturbation` where the box [0, 1] has no edges (Eq. 5)."""
    return (torch.tanh(torch.atanh((2 * x - 1) * 0.999999) + perturbation) + 1) / 2
