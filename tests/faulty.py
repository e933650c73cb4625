"""Plugins each wrong in one way, and which check of `robench check` is there to catch it."""

import itertools
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from art.attacks import EvasionAttack
from art.estimators.classification import PyTorchClassifier
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from robench.architecture import Architecture
from robench.attack import Attack
from robench.checking.networks import Small
from robench.dataset import Dataset, Images
from robench.defense import Defense
from robench.estimator import Classifier

_calls = itertools.count()
"""What a plugin keeps outside its objects, and should not."""


@dataclass
class Sound(Defense):
    """Train on noisy images."""

    strength: ClassVar[str | None] = "sigma"

    sigma: float = 0.1
    """Standard deviation of the noise."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on noisy images."""
        return F.cross_entropy(model(x + self.sigma * torch.randn(x.shape, device=x.device)), y)


@dataclass
class Unexplained(Sound):
    """Has a setting that nothing is said about."""

    steps: int = 1


@dataclass
class StrengthOfNothing(Sound):
    """Names a strength that is no setting."""

    strength: ClassVar[str | None] = "eps"


@dataclass
class LossOfEach(Sound):
    """Returns a loss an image."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return (n,)."""
        return F.cross_entropy(model(x), y, reduction="none")


@dataclass
class InPlace(Sound):
    """Writes into the images."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of darkened images."""
        return F.cross_entropy(model(x.mul_(0.5)), y)


@dataclass
class Detached(Sound):
    """Cuts the loss off from the weights."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return a number of no origin."""
        return F.cross_entropy(model(x).detach(), y)


@dataclass
class SpreadOfBatch(Sound):
    """Takes a standard deviation over the batch, of one image none."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return NaN for one image."""
        logits = model(x)
        return F.cross_entropy(logits, y) + logits.std(dim=0).mean()


@dataclass
class Diverging(Sound):
    """Rises until training is given up."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return a loss that no training survives."""
        return F.cross_entropy(model(x), y) * 1e6


@dataclass
class GreyOnly(Sound):
    """Takes images of one channel alone."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of images shaped as grey ones."""
        return F.cross_entropy(model(x.reshape(len(x), 1, 8, 8)), y)


@dataclass
class FullPrecision(Sound):
    """Cannot do with what bf16 gives."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy, multiplied with a matrix of float32."""
        logits = model(x)
        same: Tensor = torch.zeros(len(x), logits.shape[1]).index_add(
            0, torch.arange(len(x)), logits
        )
        return F.cross_entropy(same, y)


@dataclass
class OwnDice(Sound):
    """Draws from Python's generator, which nobody seeds."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of images made darker by chance."""
        return F.cross_entropy(model(x * random.SystemRandom().random()), y)


@dataclass
class OwnSeed(Sound):
    """Seeds the global generator itself."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy under the same noise at each step."""
        torch.manual_seed(0)
        return super().loss(model, x, y)


@dataclass
class Counting(Sound):
    """Keeps in the object what an interruption loses."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of images that darken step by step."""
        self._step = getattr(self, "_step", 0) + 1
        return F.cross_entropy(model(x / self._step), y)


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


@dataclass(frozen=True)
class Fine(Architecture):
    """A small network: nothing is wrong with it."""

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network."""
        return Small(shape, classes)


class _Around(nn.Module):
    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.inner = Small(shape, classes)


class Ending(_Around):
    """Ends in probabilities."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the softmax."""
        return self.inner(x).softmax(dim=1)


class Rounding(_Around):
    """Rounds the image."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits without a gradient in the image."""
        return self.inner((x * 8).round() / 8)


class Noisy(_Around):
    """Adds noise at each pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Return other logits each time."""
        return self.inner(x + 0.1 * torch.randn_like(x))


class Neighbourly(_Around):
    """Subtracts the mean of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits that depend on the other images."""
        return self.inner(x - x.mean(dim=0))


class Hiding(_Around):
    """Keeps a number that state_dict does not know."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.shift = torch.rand(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shifted images."""
        return self.inner(x + self.shift)


class Seeded(_Around):
    """Draws its weights from a seed of its own."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        torch.manual_seed(7)
        super().__init__(shape, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.inner(x)


class NeedsTwo(_Around):
    """Normalises each feature over the batch: one image has no variance."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.norm = nn.BatchNorm1d(classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised logits."""
        return self.norm(self.inner(x))


class Shy(_Around):
    """Answers no one who asks for gradients in the image."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, or refuse."""
        if x.requires_grad:
            raise RuntimeError("no gradients here")
        return self.inner(x)


def model(network: type[_Around]) -> type[Architecture]:
    """Return a model that builds networks of a class."""

    @dataclass(frozen=True)
    class Odd(Architecture):
        """A model."""

        def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
            return network(shape, classes)

    return Odd


def drawn(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images of noise, and labels of two classes in turn."""
    x = np.random.default_rng(seed).integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)
    return x, np.arange(count, dtype=np.int64) % 2


@dataclass(frozen=True)
class Good(Dataset):
    """Noise of two classes: nothing is wrong with it."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images."""
        return Images(*drawn(40, 0), *drawn(20, 1), ("a", "b"))


@dataclass(frozen=True)
class Floats(Good):
    """Returns floats."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return images of another type."""
        x, y = drawn(40, 0)
        return Images((x / 255).astype(np.float32), y, *drawn(20, 1), ("a", "b"))


@dataclass(frozen=True)
class Denying(Good):
    """Says that its images are nowhere after it loaded them."""

    def found(self, directory: Path | None, cache: Path) -> bool | None:
        """Return None at first, then False."""
        return None if self.__dict__.setdefault("asked", []) == [] and self._note() else False

    def _note(self) -> bool:
        self.__dict__["asked"].append(True)
        return True


@dataclass(frozen=True)
class Restless(Good):
    """Loads other images each time."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the next images."""
        return Images(*drawn(40, 100 + next(_calls)), *drawn(20, 1), ("a", "b"))


@dataclass(frozen=True)
class Namesakes(Good):
    """Calls two classes by one name."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images."""
        return Images(*drawn(40, 0), *drawn(20, 1), ("a", "a"))


@dataclass(frozen=True)
class Absent(Good):
    """Has a class without images."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the images of two classes of three."""
        return Images(*drawn(40, 0), *drawn(20, 1), ("a", "b", "c"))


@dataclass(frozen=True)
class Repeating(Good):
    """Tests on what it trains on."""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the training images twice."""
        return Images(*drawn(40, 0), *drawn(40, 0), ("a", "b"))
