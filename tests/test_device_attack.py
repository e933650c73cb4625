"""Attacks as drop-ins for ART's: on plain classifiers, leaving the network as it was."""

from typing import Any

import numpy as np
import pytest
import torch
from art.defences.postprocessor import Rounded
from art.defences.preprocessor import FeatureSqueezing
from art.estimators.classification import BlackBoxClassifier, PyTorchClassifier
from numpy.typing import NDArray
from torch import Tensor, nn

from robench.attack import Attack
from robench.errors import UserError
from robench_attacks.cw import CarliniWagner
from robench_attacks.ddn import DDN
from robench_attacks.deepfool import DeepFool
from robench_attacks.fgm import FGM
from robench_attacks.mim import MIM
from robench_attacks.walk import BoundaryWalk

ATTACKS: tuple[Attack, ...] = (
    *(FGM(), MIM(steps=3), DeepFool(steps=5), CarliniWagner(steps=40)),
    *(DDN(steps=20), BoundaryWalk(steps=5, ddn_steps=10)),
)
"""Those that draw nothing."""
SHAPE = (1, 8, 8)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    first = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.LeakyReLU(0.2), nn.Dropout(0.2)]
    return nn.Sequential(*first, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 4))


def classifier(model: nn.Module, **settings: Any) -> PyTorchClassifier:
    """Return what any user of ART would make."""
    defaults: dict[str, Any] = {"clip_values": (0.0, 1.0)}
    return PyTorchClassifier(
        model=model,
        loss=nn.CrossEntropyLoss(),
        input_shape=SHAPE,
        nb_classes=4,
        **(defaults | settings),
    )


def images(count: int = 6) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((count, *SHAPE), dtype=np.float32)


@pytest.mark.parametrize("budget", ATTACKS, ids=lambda a: type(a).__name__)
def test_the_network_is_left_as_it_was(budget: Attack) -> None:
    model = network()
    estimator = classifier(model)
    model.train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    wrapper = estimator._model.training
    budget.build(estimator).generate(images(), np.zeros(6, dtype=np.int64))
    assert [module.training for module in model] == [True, False, *[True] * 5]
    assert (model.training, estimator._model.training) == (True, wrapper)
    flags = [weight.requires_grad for weight in model.parameters()]
    assert flags == [False, *[True] * (len(flags) - 1)]
    assert all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_network_is_restored_after_an_error() -> None:
    model = network()
    attack = FGM().build(classifier(model))
    model.train()
    with pytest.raises(RuntimeError, match="channels"):
        attack.generate(np.zeros((2, 3, 8, 8), dtype=np.float32), np.zeros(2, dtype=np.int64))
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("budget", ATTACKS, ids=lambda a: type(a).__name__)
def test_labels_may_be_numbers_one_hot_or_left_out(budget: Attack) -> None:
    estimator = classifier(network())
    attack, x = budget.build(estimator), images()
    y = estimator.predict(x).argmax(axis=1)
    numbers = attack.generate(x, y)
    assert not np.array_equal(numbers, x)
    assert np.array_equal(attack.generate(x, np.eye(4)[y]), numbers)
    assert np.array_equal(attack.generate(x=x), numbers)
    assert np.array_equal(attack.generate(x.astype(np.float64).tolist(), y=y), numbers)


@pytest.mark.parametrize("budget", ATTACKS, ids=lambda a: type(a).__name__)
def test_preprocessing_in_torch_is_attacked_through(budget: Attack) -> None:
    class Normalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner((x - 0.5) / 0.25)

    x, y = images(), np.arange(6) % 4
    outside = budget.build(classifier(network(), preprocessing=(0.5, 0.25))).generate(x, y)
    inside = budget.build(classifier(Normalised())).generate(x, y)
    np.testing.assert_allclose(outside, inside, atol=1e-4)


@pytest.mark.parametrize("budget", ATTACKS, ids=lambda a: type(a).__name__)
def test_lengths_are_those_of_images_scaled_to_one(budget: Attack) -> None:
    class Bytes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x / 255)

    x, y = np.round(images() * 255), np.arange(6) % 4
    scaled = budget.build(classifier(network())).generate(x / 255, y)
    attacked = budget.build(classifier(Bytes(), clip_values=(0, 255))).generate(x, y)
    np.testing.assert_allclose(attacked / 255, scaled, atol=1e-4)
    assert attacked.max() <= 255


def test_an_images_result_does_not_depend_on_the_batch() -> None:
    attack = CarliniWagner(steps=10).build(classifier(network()))
    x, y = images(), np.arange(6) % 4
    whole = attack.generate(x, y)
    attack.set_params(batch_size=4)
    np.testing.assert_allclose(attack.generate(x, y), whole, atol=1e-5)


def test_settings_are_changed_and_shown_as_arts_are() -> None:
    attack, x = FGM(eps=0.5).build(classifier(network())), images()
    attack.set_params(eps=0.1, batch_size=2)
    moved = np.linalg.norm((attack.generate(x) - x).reshape(6, -1), axis=1)
    assert (moved <= 0.1 + 1e-6).all()
    assert "eps=0.1" in repr(attack)
    assert "batch_size=2" in repr(attack)
    for wrong in ({"epz": 1.0}, {"eps": -1.0}, {"batch_size": 0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            attack.set_params(**wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clip_values": None}, "clip_values"),
        ({"clip_values": (np.zeros(SHAPE), np.ones(SHAPE))}, "clip_values"),
        ({"preprocessing_defences": FeatureSqueezing(clip_values=(0.0, 1.0))}, "numpy"),
        ({"postprocessing_defences": Rounded()}, "postprocessing"),
    ],
)
def test_estimators_that_hide_the_network_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        FGM().build(classifier(network(), **settings))


def test_an_estimator_that_is_not_pytorch_is_refused() -> None:
    blind = BlackBoxClassifier(lambda x: np.eye(4)[[0] * len(x)], SHAPE, 4, clip_values=(0, 1))
    with pytest.raises(UserError, match="PyTorchClassifier, not BlackBoxClassifier"):
        FGM().build(blind)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (images() + 1, np.zeros(6, dtype=int), "clip_values"),
        (np.full((6, *SHAPE), np.nan), np.zeros(6, dtype=int), "clip_values"),
        (images(), np.zeros(5, dtype=int), "shape"),
        (images(), np.full(6, 4), "0 to 3"),
    ],
)
def test_wrong_input_is_refused(x: NDArray[np.float32], y: NDArray[np.int64], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FGM().build(classifier(network())).generate(x, y)


def test_a_mask_is_refused_and_no_images_are_no_error() -> None:
    attack = FGM().build(classifier(network()))
    with pytest.raises(UserError, match="mask"):
        attack.generate(images(), mask=np.ones(SHAPE))
    assert attack.generate(images(0), np.zeros(0, dtype=int)).shape == (0, *SHAPE)
