"""Is a classifier shown images in the range that it was trained on? Its accuracy tells."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from robench.errors import UserError

BATCH = 64
AHEAD = 0.1
"""By how much accuracy must be higher under another range for it to be called the right one."""
DEVIATIONS = 3
CIFAR = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@torch.no_grad()
def logits(network: nn.Module, x: Tensor) -> Tensor:
    """Return the network's outputs for images, float32 (n, classes)."""
    return torch.cat([network(part).float() for part in x.split(BATCH)])


def check_range(network: nn.Module, x: Tensor, y: Tensor, accuracy: float) -> None:
    """Raise UserError where the network is much better under another range, or only guesses.

    `x`: (n, channels, height, width) in [0, 1], with labels `y`; `accuracy`: on these as they are.
    """
    if accuracy > 1 - AHEAD:
        return
    found = []
    for mean, std in _ranges(x):
        said = logits(network, (x - _a_channel(mean, x)) / _a_channel(std, x)).argmax(dim=1)
        found.append((float((said == y).float().mean()), mean, std))
    best, mean, std = max(found)
    chance = math.hypot(_error(best, len(y)), _error(accuracy, len(y)))  # all correct has none
    if best - accuracy > max(AHEAD, DEVIATIONS * chance):
        raise UserError(
            f"the network classifies {accuracy:.3f} of {len(y)} images in [0, 1] correctly, and "
            f"{best:.3f} of them {_words(mean, std)}; declare what it was trained with, such as "
            f"{_options(mean, std)}, or normalise in its forward; --as-is attacks it as it is"
        )
    share = float(y.bincount().max()) / len(y)
    if accuracy <= share + DEVIATIONS * _error(share, len(y)):
        raise UserError(
            f"the network classifies {accuracy:.3f} of {len(y)} test images correctly, which is "
            f"chance ({share:.3f}), and no range of input that was tried helps: are these its "
            "weights, and is this the order of its classes? --as-is attacks it as it is"
        )


def _ranges(x: Tensor) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Yield means and deviations that networks are commonly shown images by."""
    channels = x.shape[1]
    own = x.mean(dim=(0, 2, 3)), x.std(dim=(0, 2, 3)).clamp_min(1e-3)
    yield (0.0,) * channels, (1 / 255,) * channels  # [0, 255]
    yield (0.5,) * channels, (0.5,) * channels  # [-1, 1]
    if channels == 3:
        yield CIFAR
        yield IMAGENET
    yield tuple(own[0].tolist()), tuple(own[1].tolist())


def _a_channel(values: tuple[float, ...], x: Tensor) -> Tensor:
    return torch.tensor(values, device=x.device).view(-1, 1, 1)


def _error(share: float, count: int) -> float:
    return math.sqrt(share * (1 - share) / count)


def _words(mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    if not any(mean):
        return "in [0, 255]"
    if all(one == 0.5 for one in (*mean, *std)):
        return "in [-1, 1]"
    return "normalised by mean and deviation"


def _options(mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    def listed(values: tuple[float, ...]) -> str:
        return ",".join(f"{one:.4g}" for one in values)

    return f"--mean {listed(mean)} --std {listed(std)}"
