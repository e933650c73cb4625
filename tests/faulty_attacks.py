"""Attacks each wrong in one way, which a check of `robench check` is there to catch."""

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from art.attacks import EvasionAttack
from art.estimators.classification import PyTorchClassifier
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from robench.attack import Attack
from robench.estimator import Classifier

_calls = itertools.count()
"""What a plugin keeps outside its objects, and should not."""


@dataclass(frozen=True)
class Nudge(Attack):
    """Changes images by what `change` says, without a look at the network."""

    eps: float = 0.5
    """The radius."""

    @property
    def radius(self) -> float:
        """Return `eps`."""
        return self.eps

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return the images as they are."""
        return x

    def build(self, estimator: PyTorchClassifier) -> EvasionAttack:
        """Return the attack as ART knows it."""
        return Changed(estimator, self)


class Changed(EvasionAttack):  # type: ignore[misc]  # ART has no types
    """Returns what an attack changes images into."""

    _estimator_requirements = ()

    def __init__(self, estimator: Classifier, attack: Nudge) -> None:
        super().__init__(estimator=estimator)
        self.attack = attack

    def generate(self, x: NDArray[Any], y: NDArray[Any] | None = None, **_: Any) -> NDArray[Any]:
        """Return the changed images, float32."""
        assert y is not None
        network = self.estimator._model._model
        return self.attack.change(x.copy(), y, network).astype(np.float32)


def climbed(x: NDArray[Any], y: NDArray[Any], model: nn.Module, length: float) -> NDArray[Any]:
    """Return images moved up the loss by so much."""
    images = torch.from_numpy(x).requires_grad_()
    logits = model(images)
    logits = logits[-1] if isinstance(logits, list) else logits
    value = F.cross_entropy(logits, torch.from_numpy(y), reduction="sum")
    (slope,) = torch.autograd.grad(value, images)
    norm = slope.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]
    return np.clip(x + length * (slope / norm).numpy(), 0, 1)


@dataclass(frozen=True)
class Step(Nudge):
    """One step up the loss: nothing is wrong with it."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images a step on."""
        return climbed(x, y, model, self.eps)


@dataclass(frozen=True)
class Contradiction(Step):
    """Minimal, and bounded."""

    minimal: ClassVar[bool] = True


@dataclass(frozen=True)
class Crop(Step):
    """Loses a row of pixels."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return smaller images."""
        return x[:, :, 1:]


@dataclass(frozen=True)
class OutOfBox(Step):
    """Leaves the box."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images brighter than white."""
        return x + 0.4 / 8 + (x == x.max())


@dataclass(frozen=True)
class TooFar(Step):
    """Goes twice as far as it says."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images two steps on."""
        return climbed(x, y, model, 2 * self.eps)


@dataclass(frozen=True)
class Remembering(Step):
    """Does otherwise each time it is called."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images a step on, of another length each time."""
        return climbed(x, y, model, self.eps / (1 + next(_calls) % 7))


@dataclass(frozen=True)
class Together(Step):
    """Normalises over the batch."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images moved by a length that depends on how many there are."""
        return climbed(x, y, model, self.eps / len(x))


@dataclass(frozen=True)
class Mending(Step):
    """Descends the loss, so that errors are mended and none is found."""

    eps: float = 3.0
    """The radius."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images a step back."""
        return climbed(x, y, model, -self.eps)


@dataclass(frozen=True)
class Distant(Nudge):
    """Calls itself minimal and returns the farthest error."""

    minimal: ClassVar[bool] = True

    @property
    def radius(self) -> None:  # type: ignore[override]
        """Return None."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images far up the loss."""
        return climbed(x, y, model, 5.0)


@dataclass(frozen=True)
class Trampling(Step):
    """Leaves the network changed."""

    def change(self, x: NDArray[Any], y: NDArray[Any], model: nn.Module) -> NDArray[Any]:
        """Return images a step on; a weight is another afterwards."""
        made = climbed(x, y, model, self.eps)
        with torch.no_grad():
            next(model.parameters()).add_(1e-3)
        return made
