"""A trained torch network as ART's attacks want it."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from art.estimators.classification import PyTorchClassifier
from numpy.typing import NDArray
from torch import Tensor, nn

from robench.errors import UserError
from robench.gradient import frozen
from robench.records import Precision


class _Whole(nn.Module):
    """Hides the layers of an nn.Sequential: ART would run and keep them one by one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


@dataclass(frozen=True, eq=False)
class _Asked:
    """Images, the gradients of all classes at them, and the weights that these are of."""

    x: NDArray[Any]
    gradients: NDArray[Any]
    weights: tuple[tuple[Tensor, int], ...]
    """Weights and buffers, each with the number of times it was written to."""

    def answers(self, x: NDArray[Any], weights: tuple[tuple[Tensor, int], ...]) -> bool:
        """Tell whether `x` may be compared, image by image, with what was asked."""
        if (self.x.shape, self.x.dtype, len(self.weights)) != (x.shape, x.dtype, len(weights)):
            return False
        pairs = zip(self.weights, weights, strict=True)
        return all(one is other and then == now for (one, then), (other, now) in pairs)


class Classifier(PyTorchClassifier):  # type: ignore[misc]  # ART has no types
    """ART's PyTorchClassifier, its gradients without those of the weights, and in fewer passes."""

    precision: Precision = "float32"
    """What attacks may search in. What they find is verified in float32 in any case."""
    _last: _Asked | None = None

    def class_gradient(
        self,
        x: NDArray[Any],
        label: int | np.integer[Any] | list[int] | NDArray[Any] | None = None,
        training_mode: bool = False,
        **kwargs: Any,
    ) -> NDArray[Any]:
        """Return the gradients of logits with respect to `x`, as ART's method does.

        `x`: (n, ...). `label` None: (n, classes, ...), one backward pass a class, and none for
        images that stand where they stood in the last such call: ART's DeepFool asks for all of
        them until the last is done. A class, or one an image: (n, 1, ...), one backward pass,
        where ART takes one for each class that occurs. Raises ValueError for a label that is no
        class. Recurrent networks and gradients at an inner layer are left to ART.
        """
        if self.is_rnn or self._layer_idx_gradients >= 0:
            return super().class_gradient(x, label, training_mode, **kwargs)
        classes = np.array(label) if isinstance(label, list) else label
        if not _labels_fit(classes, len(x), self.nb_classes):
            raise ValueError(f"Label {label} is out of range.")
        self._model.train(mode=training_mode)
        if classes is None and not training_mode:
            return self._only_moved(x)
        return self._gradients(x, classes)

    def _only_moved(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the gradients of all classes, computed where `x` differs from the last call's."""
        last, weights = self._last, _versions(self._model)
        if last is None or not last.answers(x, weights):
            gradients = self._gradients(x, None)
        else:
            moved = np.flatnonzero((x != last.x).reshape(len(x), -1).any(axis=1))
            gradients = last.gradients.copy()
            if len(moved):
                gradients[moved] = self._gradients(x[moved], None)
        self._last = _Asked(x.copy(), gradients.copy(), weights)
        return gradients

    def _gradients(
        self, x: NDArray[Any], label: int | np.integer[Any] | NDArray[Any] | None
    ) -> NDArray[Any]:
        images, ready = self._leaf(x)
        logits = self._model(ready)[-1][:, : self.nb_classes]
        slopes = _every(logits, images) if label is None else _chosen(logits, label, images)
        found: NDArray[Any] = slopes.cpu().numpy()
        if not self.all_framework_preprocessing:
            return self._apply_preprocessing_gradient(x, found)
        return found

    def loss_gradient(
        self,
        x: NDArray[Any] | Tensor,
        y: NDArray[Any] | Tensor,
        training_mode: bool = False,
        **kwargs: Any,
    ) -> NDArray[Any] | Tensor:
        """Return the gradient of the loss with respect to `x`, shaped as `x`: ART's method.

        No gradients of weights are computed: on ConvPool-CNN a quarter to a third less time.
        """
        with frozen(self._model):
            return super().loss_gradient(x, y, training_mode, **kwargs)

    def _leaf(self, x: NDArray[Any]) -> tuple[Tensor, Tensor]:
        """Return `x` on the device, to be differentiated by, and what the network is shown."""
        if self.all_framework_preprocessing:
            images = torch.from_numpy(x).to(self._device).requires_grad_()
            ready, _ = self._apply_preprocessing(images, y=None, fit=False, no_grad=False)
            return images, ready
        numpy_ready, _ = self._apply_preprocessing(x, y=None, fit=False, no_grad=True)
        images = torch.from_numpy(numpy_ready).to(self._device).requires_grad_()
        return images, images


def wrap(
    network: nn.Module,
    shape: tuple[int, int, int],
    classes: int,
    precision: Precision = "float32",
) -> Classifier:
    """Return `network` as an ART classifier of images in [0, 1], on the device it is on.

    `network` maps float32 images (n, *`shape`), channels first, to logits (n, `classes`). It is
    put into evaluation mode and otherwise left as it is; the weights are shared, not copied.
    `precision`: what attacks may search in. Raises UserError on a device that ART does not know
    (it knows cpu and cuda).
    """
    tensors = [*network.parameters(), *network.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"ART's attacks run on cpu and cuda, the network is on {device.type}")
    network.eval()
    model = _Whole(network).eval() if isinstance(network, nn.Sequential) else network
    # ART takes whatever CUDA device is current
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        estimator = Classifier(
            model=model,
            loss=nn.CrossEntropyLoss(),
            input_shape=shape,
            nb_classes=classes,
            clip_values=(0.0, 1.0),
            device_type="gpu" if device.type == "cuda" else "cpu",
        )
    estimator.precision = precision
    return estimator


def _versions(network: nn.Module) -> tuple[tuple[Tensor, int], ...]:
    """Return the weights and buffers as they are, to be told from what is trained further."""
    tensors = (*network.parameters(), *network.buffers())
    return tuple((tensor, tensor._version) for tensor in tensors)


def _labels_fit(label: object, count: int, classes: int) -> bool:
    """Tell whether ART takes `label` for `count` images."""
    if isinstance(label, np.ndarray):
        return label.shape == (count,) and bool((label < classes).all())
    return label is None or (isinstance(label, int | np.integer) and label in range(classes))


def _every(logits: Tensor, images: Tensor) -> Tensor:
    """Return the gradients of all classes, (n, classes, ...).

    A pass a class: on a CPU all in one (`is_grads_batched`) take 1.2 to 1.7 times as long.
    """
    slopes = [_slope(value.sum(), images) for value in logits.unbind(dim=1)]
    return torch.stack(slopes, dim=1)


def _chosen(logits: Tensor, label: int | np.integer[Any] | NDArray[Any], images: Tensor) -> Tensor:
    """Return the gradients of one class an image, (n, 1, ...)."""
    whole = np.asarray(label).astype(np.int64, casting="same_kind")  # refuses fractions
    classes = torch.as_tensor(whole, device=logits.device).expand(len(logits))
    rows = torch.arange(len(logits), device=logits.device)
    return _slope(logits[rows, classes].sum(), images).unsqueeze(1)


def _slope(value: Tensor, images: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(value, images, retain_graph=True)
    return slope
