"""Networks that look robust and are not: what the audit itself is tested with.

Each takes a network and the images it will be attacked on, and returns one that answers an attack
as a broken defense does. None of them is harder to fool than the network inside, but for what
noise, rounding and blurring do by themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robench.panel import Panel

LEVELS = 8
SCALE = 1e4
NOISE = 0.1


@dataclass(frozen=True)
class Broken:
    """A broken defense, and the checks that are there to catch it."""

    about: str
    breaks: Callable[[nn.Module, Panel], nn.Module]
    caught_by: tuple[str, ...]
    """Each of these has to fail; others may fail too."""


class _Around(nn.Module):
    """Something around a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class Quantised(_Around):
    """Rounds the image to a few levels: the gradient is zero wherever it exists."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of the rounded image."""
        return self.network(torch.round(x * LEVELS) / LEVELS)


class Scaled(_Around):
    """Multiplies the logits until the cross-entropy has no gradient left in float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the same order of logits, far apart."""
        return self.network(x) * SCALE


class Randomised(_Around):
    """Adds noise to the image anew at each pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of a noisy image."""
        return self.network(x + NOISE * torch.randn_like(x))


class Preprocessed(_Around):
    """Takes each pixel's median with its neighbours in numpy: no gradient comes back from there."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of the blurred image."""
        pixels = x.detach().cpu().numpy()
        around = [np.roll(pixels, shift, axis=axis) for axis in (2, 3) for shift in (-1, 1)]
        blurred = np.median(np.stack([pixels, *around]), axis=0).astype(np.float32)
        return self.network(torch.from_numpy(blurred).to(x.device))


class _Reversed(torch.autograd.Function):
    """The identity; backwards, its negative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return `x`."""
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        """Return the opposite of the gradient."""
        return -slopes[0]


class Leaking(_Around):
    """Turns a perturbation made with the label into one that gives the label away."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the same logits, with gradients that lead towards the label."""
        moved: Tensor = _Reversed.apply(x)
        return self.network(moved)


class Memorising(_Around):
    """Knows the attacked images and answers with the label of the nearest."""

    def __init__(self, network: nn.Module, panel: Panel) -> None:
        super().__init__(network)
        self.known = torch.from_numpy(panel.x).flatten(1)
        self.labels = torch.from_numpy(panel.y)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits that the remembered label leads."""
        with torch.no_grad():
            nearest = torch.cdist(x.flatten(1), self.known.to(x.device)).argmin(dim=1)
            remembered = self.labels.to(x.device)[nearest]
        scores = self.network(x)
        return scores + 10 * nn.functional.one_hot(remembered, scores.shape[1])


class Probabilities(_Around):
    """Returns a softmax, which flattens what attacks follow."""

    def forward(self, x: Tensor) -> Tensor:
        """Return probabilities."""
        return self.network(x).softmax(dim=1)


class Neighbourly(_Around):
    """Centres each batch by its own mean, as batch statistics left on do."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits that depend on the whole batch."""
        return self.network(x - x.mean(dim=0, keepdim=True))


class Optimising(_Around):
    """Moves each image towards its predicted class before it answers."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of the moved image."""
        with torch.enable_grad():
            image = x.detach().clone().requires_grad_()
            best = self.network(image).amax(dim=1).sum()
            (slope,) = torch.autograd.grad(best, image)
        return self.network(x + NOISE * slope.sign())


BROKEN: dict[str, Broken] = {
    "quantised": Broken(
        f"input rounded to {LEVELS} levels", lambda n, p: Quantised(n), ("gradients", "slopes")
    ),
    "scaled": Broken(f"logits times {SCALE:g}", lambda n, p: Scaled(n), ("saturation",)),
    "randomised": Broken("noise on the input", lambda n, p: Randomised(n), ("determinism",)),
    "preprocessed": Broken(
        "median filter in numpy", lambda n, p: Preprocessed(n), ("gradients", "slopes")
    ),
    "leaking": Broken(
        "perturbations give the label away", lambda n, p: Leaking(n), ("leak", "slopes")
    ),
    "memorising": Broken("knows the attacked images' labels", Memorising, ("unseen",)),
    "softmax": Broken("returns probabilities", lambda n, p: Probabilities(n), ("logits",)),
    "neighbourly": Broken("statistics of the batch", lambda n, p: Neighbourly(n), ("batching",)),
    "optimising": Broken("optimises at test time", lambda n, p: Optimising(n), ("dynamic",)),
}
