"""How an attack written in torch reaches ART: a drop-in EvasionAttack that stays on the device.

ART's own attacks pass every gradient through numpy. Here a batch goes to the network's device
once, the attack runs there in float32, and the images come back once.
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
from robench_attacks.gradient import Logits


class TorchAttack(Protocol):
    """What `DeviceAttack` runs: a frozen dataclass, its fields the settings, with this method."""

    def perturb(self, logits: Logits, x: Tensor, y: Tensor) -> Tensor:
        """Return attacked images for `x`, float32 (n, ...) in [0, 1], and `y`, int64 (n,)."""


class DeviceAttack(EvasionAttack):  # type: ignore[misc]  # ART has no types
    """A `TorchAttack` aimed at an ART estimator, used like any attack of ART's.

    Works on every PyTorchClassifier that has scalar clip_values, returns logits of two or more
    classes and preprocesses, if at all, in torch. Lengths in the settings are those of images
    scaled to [0, 1], whatever the clip_values.
    """

    attack_params = [*EvasionAttack.attack_params, "batch_size"]  # noqa: RUF012  # ART's form
    _estimator_requirements = (
        BaseEstimator,
        LossGradientsMixin,
        ClassGradientsMixin,
        ClassifierMixin,
    )

    def __init__(
        self, estimator: PyTorchClassifier, attack: TorchAttack, batch_size: int = 256
    ) -> None:
        """Aim `attack` at `estimator`; raise UserError where the estimator does not allow it."""
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
        self.batch_size = kwargs.pop("batch_size", getattr(self, "batch_size", 256))
        if self.batch_size < 1:
            raise UserError(f"batch_size={self.batch_size} must be at least 1")
        self._attack = replace(self._attack, **kwargs)  # type: ignore[type-var]

    def generate(
        self, x: NDArray[Any], y: NDArray[Any] | None = None, **kwargs: Any
    ) -> NDArray[np.float32]:
        """Return attacked images, float32, shaped as `x`.

        `x`: (n, ...) within the estimator's clip_values. `y`: true labels, (n,) or one-hot
        (n, classes); None: the network's predictions.
        """
        if given := [name for name, value in kwargs.items() if value is not None]:
            raise UserError(f"this attack takes x and y alone, not {given[0]!r}")
        images = np.ascontiguousarray(x, dtype=np.float32)
        low, high = map(float, self.estimator.clip_values)
        if images.size and not (images.min() >= low and images.max() <= high):
            raise UserError(f"images must lie within the clip_values, {low} to {high}")
        labels = None if y is None else _labels(y, len(images), self.estimator.nb_classes)
        results = np.empty_like(images)
        device = self.estimator.device
        with _frozen(self.estimator._model), torch.autocast(device.type, enabled=False):
            for start in range(0, len(images), self.batch_size):
                rows = slice(start, start + self.batch_size)
                batch = torch.from_numpy(images[rows]).to(device)
                truth = None if labels is None else torch.from_numpy(labels[rows]).to(device)
                results[rows] = self._batch(batch, truth, low, high).cpu().numpy()
        return results

    def _batch(self, x: Tensor, y: Tensor | None, low: float, high: float) -> Tensor:
        def logits(scaled: Tensor) -> Tensor:
            raw = scaled * (high - low) + low
            ready, _ = self.estimator._apply_preprocessing(raw, y=None, fit=False, no_grad=False)
            return self.estimator._model(ready)[-1].float()

        scaled = ((x - low) / (high - low)).clamp(0, 1)
        with torch.no_grad():
            truth = logits(scaled).argmax(dim=1) if y is None else y
            attacked = self._attack.perturb(logits, scaled, truth)
            moved = (attacked * (high - low) + low).clamp(low, high)
            return torch.where(attacked == scaled, x, moved)  # scaling there and back rounds


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


def _labels(y: NDArray[Any], count: int, classes: int) -> NDArray[np.int64]:
    given = np.asarray(y)
    labels = given.argmax(axis=1) if given.shape == (count, classes) else given
    if labels.shape != (count,):
        raise UserError(f"labels of shape {given.shape}; wanted ({count},) or ({count}, {classes})")
    if count and not (labels.min() >= 0 and labels.max() < classes):
        raise UserError(f"labels must lie within 0 to {classes - 1}")
    return labels.astype(np.int64)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients of weights; all as it was afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    wanted = [(weight, weight.requires_grad) for weight in network.parameters()]
    try:
        network.eval()
        network.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, flag in wanted:
            weight.requires_grad_(flag)
