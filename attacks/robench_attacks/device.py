"""How an attack written in torch reaches ART: a drop-in EvasionAttack that stays on the device.

ART's own attacks pass every gradient through numpy. Here a batch goes to the network's device
once, the attack runs there, and the images come back once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Protocol

import numpy as np
import torch
from art.attacks import EvasionAttack
from art.estimators import BaseEstimator, LossGradientsMixin
from art.estimators.classification import PyTorchClassifier
from art.estimators.classification.classifier import ClassGradientsMixin, ClassifierMixin
from numpy.typing import NDArray
from torch import Tensor, nn

from robench.errors import UserError
from robench.gradient import frozen
from robench_attacks.network import Network
from robench_attacks.sizing import lanes_for

BLOCK = 16
"""Batches' worth of images given at once to an attack that `streams`: see `robench_attacks.lanes`.
Towards a block's end its last batch runs empty."""


class TorchAttack(Protocol):
    """What `DeviceAttack` runs: a frozen dataclass, its fields the settings, with this method."""

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return attacked images for `x`, float32 (n, ...) in [0, 1], and `y`, int64 (n,).

        `network`, called, maps images to logits. Gradients are off.
        """


Images = NDArray[Any] | Tensor


class DeviceAttack(EvasionAttack):  # type: ignore[misc]  # ART has no types
    """A `TorchAttack` aimed at an ART estimator, used like any attack of ART's.

    Works on every PyTorchClassifier that has scalar clip_values, returns logits of two or more
    classes and preprocesses, if at all, in torch. Lengths in the settings are those of images
    scaled to [0, 1], whatever the clip_values. Searches are in float32, or in bf16 where the
    estimator, robench's, has `precision` "bf16".
    """

    attack_params = [*EvasionAttack.attack_params, "batch_size"]  # noqa: RUF012  # ART's form
    _estimator_requirements = (
        BaseEstimator,
        LossGradientsMixin,
        ClassGradientsMixin,
        ClassifierMixin,
    )

    def __init__(
        self, estimator: PyTorchClassifier, attack: TorchAttack, batch_size: int | None = None
    ) -> None:
        """Aim `attack` at `estimator`; raise UserError where the estimator does not allow it.

        `batch_size`: images in one pass; None: what suits the device, see `sizing`.
        """
        _refuse(estimator)
        super().__init__(estimator=estimator)
        self._attack = attack
        names = [field.name for field in fields(attack)]  # type: ignore[arg-type]
        self.attack_params = [*type(self).attack_params, *names]
        self.set_params(batch_size=batch_size)

    def set_params(self, **kwargs: Any) -> None:
        """Change settings of the attack, or the `batch_size`."""
        if unknown := set(kwargs) - set(self.attack_params):
            there = ", ".join(self.attack_params)
            raise UserError(f"no setting {sorted(unknown)[0]!r} in this attack; there are: {there}")
        self.batch_size = kwargs.pop("batch_size", getattr(self, "batch_size", None))
        if self.batch_size is not None and self.batch_size < 1:
            raise UserError(f"batch_size={self.batch_size} must be at least 1")
        self._attack = replace(self._attack, **kwargs)  # type: ignore[type-var]

    def generate(self, x: Images, y: Images | None = None, **kwargs: Any) -> Images:
        """Return attacked images, float32, shaped as `x`: an array for an array.

        `x`: (n, ...) within the estimator's clip_values. `y`: true labels, (n,) or one-hot
        (n, classes); None: the network's predictions. A tensor `x` may lie on the network's
        device, then nothing leaves it, and the result is a tensor beside it.
        """
        if given := [name for name, value in kwargs.items() if value is not None]:
            raise UserError(f"this attack takes x and y alone, not {given[0]!r}")
        images = _tensor(x).float()
        low, high = map(float, self.estimator.clip_values)
        if images.numel() and not (images.min() >= low and images.max() <= high):
            raise UserError(f"images must lie within the clip_values, {low} to {high}")
        labels = None if y is None else _labels(_tensor(y), len(images), self.estimator.nb_classes)
        results = torch.empty_like(images)
        plain = torch.autocast(self.estimator.device.type, enabled=False)
        with _resting(self.estimator._model), plain, torch.no_grad():
            self._fill(results, images, labels)
        return results if isinstance(x, Tensor) else results.numpy()

    def _fill(self, results: Tensor, images: Tensor, labels: Tensor | None) -> None:
        """Attack block by block, so that memory does not grow with the number of images."""
        network, device = self._network(images), self.estimator.device
        width = network.lanes * (BLOCK if getattr(self._attack, "streams", False) else 1)
        low, high = map(float, self.estimator.clip_values)
        for start in range(0, len(images), width):
            rows = slice(start, start + width)
            x = _channels_last(images[rows].to(device))
            scaled = ((x - low) / (high - low)).clamp_(0, 1)
            if labels is None:
                parts = [network(part).argmax(dim=1) for part in scaled.split(network.lanes)]
                y = torch.cat(parts)
            else:
                y = labels[rows].to(device)
            attacked = self._attack.perturb(network, scaled, y)
            moved = (attacked * (high - low) + low).clamp_(low, high)
            results[rows] = torch.where(attacked == scaled, x, moved)  # scaling rounds

    def _network(self, images: Tensor) -> Network:
        low, high = map(float, self.estimator.clip_values)

        def exact(scaled: Tensor) -> Tensor:
            raw = scaled if (low, high) == (0, 1) else scaled * (high - low) + low
            ready, _ = self.estimator._apply_preprocessing(raw, y=None, fit=False, no_grad=False)
            return self.estimator._model(ready)[-1].float()

        device: torch.device = self.estimator.device

        def rounded(scaled: Tensor) -> Tensor:
            with torch.autocast(device.type, dtype=torch.bfloat16):
                return exact(scaled)

        approximate = getattr(self.estimator, "precision", "float32") == "bf16"
        sample = _channels_last(images[:1].to(device))
        lanes = self.batch_size or lanes_for(exact, (sample - low) / (high - low))
        return Network(exact, rounded if approximate else None, lanes)


def on_images(estimator: PyTorchClassifier, attack: TorchAttack) -> DeviceAttack:
    """Aim an attack that needs images of two sides; UserError where the estimator takes others."""
    built = DeviceAttack(estimator, attack)
    if len(estimator.input_shape) != 3:
        shape = tuple(estimator.input_shape)
        name = type(attack).__name__
        raise UserError(f"{name} needs images (channels, height, width), not of shape {shape}")
    return built


def _refuse(estimator: object) -> None:
    if not isinstance(estimator, PyTorchClassifier):
        raise UserError(
            f"this attack needs ART's PyTorchClassifier, not {type(estimator).__name__}"
        )
    if estimator.clip_values is None or any(np.ndim(value) for value in estimator.clip_values):
        raise UserError("this attack needs an estimator with scalar clip_values, such as (0, 1)")
    if not estimator.all_framework_preprocessing:
        raise UserError("this attack needs preprocessing in torch; the estimator's runs in numpy")
    if estimator.postprocessing_defences:
        raise UserError("this attack cannot see postprocessing defences; remove them")
    if estimator.nb_classes < 2:
        raise UserError("this attack needs one logit a class, of two or more classes")


def _tensor(values: Images) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values))


def _channels_last(x: Tensor) -> Tensor:
    """Lay images out as convolutions are fastest; whatever is derived from them keeps to it."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x.contiguous()


def _labels(given: Tensor, count: int, classes: int) -> Tensor:
    labels = given.argmax(dim=1) if given.shape == (count, classes) else given
    if labels.shape != (count,):
        shape = tuple(given.shape)
        raise UserError(f"labels of shape {shape}; wanted ({count},) or ({count}, {classes})")
    if count and not (labels.min() >= 0 and labels.max() < classes):
        raise UserError(f"labels must lie within 0 to {classes - 1}")
    return labels.long()


@contextmanager
def _resting(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients of weights; all as it was afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        with frozen(network):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
