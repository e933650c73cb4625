"""Models each wrong in one way, which a check of `robench check` is there to catch."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robench.architecture import Architecture
from robench.checking.networks import Small


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
