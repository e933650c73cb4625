"""A network wrapped for ART gives the network's own answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from art.attacks import EvasionAttack
from art.attacks.evasion import CarliniL2Method, DeepFool, MomentumIterativeMethod
from art.defences.preprocessor import SpatialSmoothing
from art.estimators.classification import PyTorchClassifier
from numpy.typing import NDArray
from torch import Tensor, nn

from robench.errors import UserError
from robench.estimator import Classifier, wrap


class Doubling(nn.Sequential):
    """A Sequential with a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return 2 * x


def layers() -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, 5)]


@pytest.mark.parametrize("kind", [nn.Sequential, Doubling])
def test_predictions_are_the_networks_logits(kind: type[nn.Sequential]) -> None:
    network = kind(*layers())
    estimator = wrap(network, (3, 8, 8), 5)
    x = torch.rand(7, 3, 8, 8)
    with torch.no_grad():
        logits = network(x).numpy()
    np.testing.assert_allclose(estimator.predict(x.numpy()), logits, rtol=1e-6)


def test_the_estimator_is_of_images_in_the_unit_box() -> None:
    estimator = wrap(nn.Sequential(*layers()), (3, 8, 8), 5)
    assert tuple(map(float, estimator.clip_values)) == (0.0, 1.0)
    assert estimator.input_shape == (3, 8, 8)
    assert estimator.nb_classes == 5


def test_the_network_is_in_evaluation_mode_and_otherwise_untouched() -> None:
    network = nn.Sequential(*layers()).train()
    network[0].weight.requires_grad_(False)
    weights = list(network.parameters())
    before = [weight.clone() for weight in weights]
    wrap(network, (3, 8, 8), 5)
    assert not any(module.training for module in network.modules())
    assert all(a is b for a, b in zip(network.parameters(), weights, strict=True))
    assert [weight.requires_grad for weight in weights] == [False, True, True, True]
    assert all(torch.equal(a, b) for a, b in zip(weights, before, strict=True))


def test_a_device_unknown_to_art_is_refused() -> None:
    with pytest.raises(UserError, match="cpu and cuda"):
        wrap(nn.Linear(4, 2, device="meta"), (1, 2, 2), 2)


CLASSES, SHAPE = 5, (3, 8, 8)
Labels = int | np.integer[Any] | list[int] | NDArray[np.int64] | None
MIXED = np.array([4, 0, 2, 2, 1, 0, 4])
LABELS: dict[str, Labels] = {
    "none": None,
    "int": 3,
    "zero": 0,
    "numpy int": np.int64(4),
    "list": MIXED.tolist(),
    "array": MIXED,
    "one class": np.full(7, 2),
    "small ints": MIXED.astype(np.int8),
    "counted from the end": MIXED - CLASSES,
}
PREPARED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "standardised": {"preprocessing": (0.3, 0.7)},
    "smoothed in numpy": {"preprocessing_defences": [SpatialSmoothing()]},
}


def networks() -> dict[str, nn.Sequential]:
    """Return networks of different layers; batch norm has seen images of its own."""
    torch.manual_seed(0)
    normal = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.LeakyReLU(0.1))
    pooled = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    tail = [nn.Dropout(0.5), nn.Flatten()]
    found = {
        "batch norm": nn.Sequential(*normal, *tail, nn.Linear(54, CLASSES)),
        "pooling": nn.Sequential(pooled, *tail, nn.Linear(72, CLASSES)),
        "dense": nn.Sequential(nn.Flatten(), nn.Linear(192, 20), nn.Tanh(), nn.Linear(20, CLASSES)),
    }
    for network in found.values():
        network(3 * torch.randn(40, *SHAPE) + 1)
    return found


def pair(
    network: nn.Module, **prepared: Any
) -> tuple[Classifier, PyTorchClassifier, NDArray[np.float32]]:
    """Return a network behind robench's estimator and ART's own, and seven images."""
    wrap(network, SHAPE, CLASSES)  # evaluation mode
    given = {"input_shape": SHAPE, "nb_classes": CLASSES, "clip_values": (0.0, 1.0)}
    own, arts = (
        kind(network, loss=nn.CrossEntropyLoss(), device_type="cpu", **given, **prepared)
        for kind in (Classifier, PyTorchClassifier)
    )
    return own, arts, np.random.default_rng(0).random((7, *SHAPE), dtype=np.float32)


def counted(estimator: PyTorchClassifier) -> list[int]:
    """Return a list that each backward pass of an estimator adds its number of images to."""
    passes: list[int] = []

    def listen(_: nn.Module, __: object, output: list[Tensor]) -> None:
        if output[-1].requires_grad:
            output[-1].register_hook(lambda slope: passes.append(len(slope)))

    estimator._model.register_forward_hook(listen)
    return passes


@pytest.mark.parametrize("kind", networks())
@pytest.mark.parametrize("label", LABELS)
def test_class_gradients_are_arts(kind: str, label: str) -> None:
    own, arts, x = pair(networks()[kind])
    found, expected = own.class_gradient(x, LABELS[label]), arts.class_gradient(x, LABELS[label])
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", networks())
@pytest.mark.parametrize("label", ["none", "int", "array"])
def test_class_gradients_are_arts_to_the_last_digits_of_float64(kind: str, label: str) -> None:
    own, arts, x = pair(networks()[kind].double(), preprocessing=None)
    wide = x.astype(np.float64)
    found = own.class_gradient(wide, LABELS[label])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, arts.class_gradient(wide, LABELS[label]), rtol=1e-12)


@pytest.mark.parametrize("prepared", PREPARED)
@pytest.mark.parametrize("label", ["none", "int", "array"])
def test_class_gradients_go_through_the_preprocessing(prepared: str, label: str) -> None:
    own, arts, x = pair(networks()["batch norm"], **PREPARED[prepared])
    for images in (x, x + np.float32(0.01)):  # the second call may build on the first
        found = own.class_gradient(images, LABELS[label])
        expected = arts.class_gradient(images, LABELS[label])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("label", [CLASSES, -1, [0, 1], MIXED + 1, MIXED[:, None], "two", 2.0])
def test_labels_that_are_no_classes_are_refused_as_art_does(label: Any) -> None:
    own, arts, x = pair(networks()["dense"])
    for estimator in (own, arts):
        with pytest.raises(ValueError, match="out of range"):
            estimator.class_gradient(x, label)


@pytest.mark.parametrize(("label", "own_passes", "arts_passes"), [(3, 1, 1), (MIXED, 1, 4)])
def test_one_backward_pass_serves_all_labels(
    label: Labels, own_passes: int, arts_passes: int
) -> None:
    own, arts, x = pair(networks()["batch norm"])
    for estimator, expected in ((own, own_passes), (arts, arts_passes)):
        passes = counted(estimator)
        estimator.class_gradient(x, label)
        assert passes == [7] * expected


def test_all_classes_take_a_pass_each_and_none_where_nothing_moved() -> None:
    own, arts, x = pair(networks()["batch norm"])
    passes = counted(own)
    own.class_gradient(x)
    assert passes == [7] * CLASSES
    assert np.array_equal(own.class_gradient(x), own.class_gradient(x.copy()))
    assert passes == [7] * CLASSES
    moved = x.copy()
    moved[[1, 5]] += np.float32(0.1)
    found = own.class_gradient(moved)
    assert passes == [7] * CLASSES + [2] * CLASSES
    np.testing.assert_allclose(found, arts.class_gradient(moved), rtol=1e-5, atol=1e-7)
    own.class_gradient(x[:3])
    assert passes[2 * CLASSES :] == [3] * CLASSES


def test_what_is_remembered_is_nobody_elses() -> None:
    own, arts, x = pair(networks()["batch norm"])
    own.class_gradient(x)[:] = 7
    own.class_gradient(x)[:] = 8
    expected = arts.class_gradient(x)
    np.testing.assert_allclose(own.class_gradient(x), expected, rtol=1e-5, atol=1e-7)
    asked = x.copy()
    own.class_gradient(asked)
    asked += np.float32(0.1)
    np.testing.assert_allclose(
        own.class_gradient(asked), arts.class_gradient(asked), rtol=1e-5, atol=1e-7
    )


def test_weights_that_change_are_noticed() -> None:
    network = networks()["batch norm"]
    own, arts, x = pair(network)
    before = own.class_gradient(x)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.mul_(2)
    after = own.class_gradient(x)
    np.testing.assert_allclose(after, arts.class_gradient(x), rtol=1e-5, atol=1e-7)
    assert np.abs(after - before).max() > 0.01
    network[-1] = nn.Linear(54, CLASSES)
    np.testing.assert_allclose(own.class_gradient(x), arts.class_gradient(x), rtol=1e-5, atol=1e-7)


def test_dropout_is_drawn_anew_in_training_mode() -> None:
    own, _, x = pair(networks()["pooling"])
    own.class_gradient(x)
    drawn = [own.class_gradient(x, training_mode=True) for _ in range(2)]
    assert not np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(own.class_gradient(x), own.class_gradient(x, training_mode=False))


def test_weights_get_no_gradients_and_keep_their_flags() -> None:
    network = networks()["batch norm"]
    network[0].weight.requires_grad_(False)
    own, arts, x = pair(network)
    flags = [weight.requires_grad for weight in network.parameters()]
    found = own.loss_gradient(x, np.eye(CLASSES)[MIXED])
    for label in (None, 3, MIXED):
        own.class_gradient(x, label)
    assert [weight.grad for weight in network.parameters()] == [None] * len(flags)
    assert [weight.requires_grad for weight in network.parameters()] == flags
    np.testing.assert_allclose(
        found, arts.loss_gradient(x, np.eye(CLASSES)[MIXED]), rtol=1e-5, atol=1e-8
    )
    assert any(weight.grad is not None for weight in network.parameters())  # ART's leaves them


def test_a_failing_pass_leaves_the_flags_as_they_were() -> None:
    own, _, x = pair(networks()["dense"])
    with pytest.raises(RuntimeError):
        own.loss_gradient(x[:, :1], np.eye(CLASSES)[MIXED])
    assert all(weight.requires_grad for weight in own.model.parameters())


ATTACKS: dict[str, Callable[[PyTorchClassifier], EvasionAttack]] = {
    "cw": lambda e: CarliniL2Method(e, max_iter=5, batch_size=4, verbose=False),
    "deepfool": lambda e: DeepFool(e, max_iter=20, epsilon=0.02, batch_size=4, verbose=False),
    "deepfool of three": lambda e: DeepFool(e, nb_grads=3, batch_size=4, verbose=False),
    "mim": lambda e: MomentumIterativeMethod(e, norm=2, eps=0.5, max_iter=5, verbose=False),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("kind", networks())
def test_arts_attacks_find_the_same_images(name: str, kind: str) -> None:
    own, arts, x = pair(networks()[kind])
    y = arts.predict(x).argmax(axis=1)
    found, expected = (ATTACKS[name](estimator).generate(x, y) for estimator in (own, arts))
    assert np.abs(expected - x).max() > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_recurrent_network_is_left_to_art() -> None:
    class Rows(nn.Module):
        """A network that reads an image row by row."""

        def __init__(self) -> None:
            super().__init__()
            self.reader = nn.GRU(24, 6, batch_first=True)
            self.last = nn.Linear(6, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.reader(x.flatten(1).view(-1, 8, 24))[0][:, -1])

    own, arts, x = pair(Rows())
    for label in (None, MIXED):
        found, expected = own.class_gradient(x, label), arts.class_gradient(x, label)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_precision_is_stored_for_attacks_to_read() -> None:
    network = networks()["dense"]
    assert wrap(network, SHAPE, CLASSES).precision == "float32"
    assert wrap(network, SHAPE, CLASSES, "bf16").precision == "bf16"
    x = np.random.default_rng(0).random((7, *SHAPE), dtype=np.float32)
    exact = wrap(network, SHAPE, CLASSES).predict(x)
    assert np.array_equal(exact, wrap(network, SHAPE, CLASSES, "bf16").predict(x))
