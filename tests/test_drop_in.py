"""Every attack for whoever uses ART: arrays or tensors, any box, preprocessing, labels or none."""

from typing import Any

import numpy as np
import pytest
import torch
from art.attacks import EvasionAttack
from art.estimators.classification import PyTorchClassifier
from numpy.typing import NDArray
from torch import Tensor, nn

from readers import CLASSES, SHAPE, Reader
from robench.attack import Attack
from robench.attacking import reproducible
from robench_attacks.apgd import APGD
from robench_attacks.cw import CarliniWagner
from robench_attacks.ddn import DDN
from robench_attacks.deepfool import DeepFool
from robench_attacks.device import DeviceAttack
from robench_attacks.fgm import FGM
from robench_attacks.hopskipjump import HopSkipJump
from robench_attacks.mim import MIM
from robench_attacks.pgd import PGD
from robench_attacks.square import Square
from robench_attacks.walk import BoundaryWalk

ATTACKS: tuple[Attack, ...] = (
    FGM(),
    MIM(steps=5),
    PGD(steps=5),
    APGD(steps=10),
    DeepFool(),
    DDN(steps=20),
    BoundaryWalk(steps=5, ddn_steps=10),
    CarliniWagner(learning_rate=0.02, searches=2, steps=20, initial_constant=1.0),
    CarliniWagner(searches=1, steps=10, warm_start=True, bisections=3),
    Square(queries=20),
    HopSkipJump(queries=300),
)
each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
COUNT = 8


def classifier(model: nn.Module, **settings: Any) -> PyTorchClassifier:
    """Return what any user of ART would make."""
    given: dict[str, Any] = {"clip_values": (0.0, 1.0)} | settings
    loss = nn.CrossEntropyLoss()
    return PyTorchClassifier(model, loss, SHAPE, CLASSES, device_type="cpu", **given)


def made(attack: Attack, estimator: PyTorchClassifier, x: Any, y: Any) -> Any:
    """Return what the attack returns, the same draws each time."""
    with reproducible():
        return attack.build(estimator).generate(x, y)


@each
def test_it_is_an_attack_of_arts(attack: Attack, reader: Reader) -> None:
    built = attack.build(classifier(reader.network))
    assert isinstance(built, EvasionAttack)
    assert isinstance(built, DeviceAttack)
    assert "batch_size=None" in repr(built)


@each
def test_a_tensor_comes_back_for_a_tensor_and_an_array_for_an_array(
    attack: Attack, reader: Reader
) -> None:
    estimator, (x, y) = classifier(reader.network), reader.tensors()
    x, y = x[:COUNT], y[:COUNT]
    before = x.clone()
    arrays = made(attack, estimator, x.numpy(), y.numpy())
    tensors = made(attack, estimator, x, y)
    assert isinstance(arrays, np.ndarray)
    assert isinstance(tensors, Tensor)
    assert not tensors.requires_grad
    assert np.array_equal(arrays, tensors.numpy())
    assert not np.array_equal(arrays, x.numpy())
    assert torch.equal(x, before)
    mixed = made(attack, estimator, x, y.numpy().astype(np.int32))
    assert torch.equal(mixed, tensors)


@each
def test_labels_are_numbers_one_hot_or_the_networks_own(attack: Attack, reader: Reader) -> None:
    estimator, x, y = classifier(reader.network), reader.x[:COUNT], reader.y[:COUNT]
    expected = made(attack, estimator, x, y)
    for given in (np.eye(CLASSES)[y], np.eye(CLASSES, dtype=np.float32)[y], None):
        assert np.array_equal(made(attack, estimator, x, given), expected)


class Bytes(nn.Module):
    """The network, shown bytes that are standardised outside it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of images (x - 100) / 50."""
        logits: Tensor = self.network((50 * x + 100) / 255)
        return logits


@each
def test_bytes_and_preprocessing_are_nothing_but_another_scale(
    attack: Attack, reader: Reader
) -> None:
    x, y = reader.x[:COUNT], reader.y[:COUNT]
    expected = made(attack, classifier(reader.network), x, y)
    settings = {"clip_values": (0, 255), "preprocessing": (100.0, 50.0)}
    found = made(attack, classifier(Bytes(reader.network), **settings), x * 255, y)
    assert found.min() >= 0
    assert found.max() <= 255
    length = np.linalg.norm((found / 255 - x).reshape(COUNT, -1), axis=1)
    wanted = np.linalg.norm((expected - x).reshape(COUNT, -1), axis=1)
    np.testing.assert_allclose(length, wanted, rtol=0.01)


@each
def test_autocast_around_it_changes_nothing(attack: Attack, reader: Reader) -> None:
    estimator, x, y = classifier(reader.network), reader.x[:COUNT], reader.y[:COUNT]
    expected = made(attack, estimator, x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.enable_grad():
        found = made(attack, estimator, x, y)
    assert np.array_equal(found, expected)


@each
def test_images_at_the_edges_of_the_box_stay_inside(attack: Attack, reader: Reader) -> None:
    x: NDArray[np.float32] = np.round(reader.x[:COUNT])
    found = made(attack, classifier(reader.network), x, None)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
