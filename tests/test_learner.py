"""What a step changes: Adam and the moving average, against their formulas in float64."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.errors import UserError
from robench.learner import CLASSIFIER, Learner
from robench.models.convpool import ConvPool

CPU = torch.device("cpu")
RATE, EMA = 0.01, 0.9


class Counting(nn.Module):
    """A layer with a buffer that changes whenever it is used."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Return three numbers for each row."""
        self.seen += len(x)
        return self.layer(x)


def counting() -> Counting:
    torch.manual_seed(0)
    return Counting()


def convolutional(seed: int = 0) -> nn.Module:
    """Return a classifier whose weights lie channels last, with a width of no even number."""
    torch.manual_seed(seed)
    return ConvPool(width=0.05).build((3, 8, 8), 4)


def batch(number: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    x = torch.rand(6, 3, 8, 8, generator=generator)
    return x, torch.randint(0, 4, (6,), generator=generator)


def learning(network: nn.Module) -> Learner:
    return Learner({CLASSIFIER: network}, CPU, RATE, EMA)


def step(learner: Learner, number: int) -> None:
    x, y = batch(number)
    learner.descend({CLASSIFIER: F.cross_entropy(learner.classifier(x), y)})
    learner.average()


def weights(network: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in network.parameters()]


def close(found: nn.Module, expected: list[Tensor]) -> None:
    for a, b in zip(weights(found), expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0, atol=RATE / 500)


def test_three_steps_are_those_of_the_formulas() -> None:
    learner = learning(convolutional())
    by_hand = copy.deepcopy(learner.classifier).double().requires_grad_()
    averages = [weight.clone() for weight in weights(by_hand)]
    first = [torch.zeros_like(weight) for weight in weights(by_hand)]
    second = [torch.zeros_like(weight) for weight in weights(by_hand)]
    for t in (1, 2, 3):
        step(learner, t)
        x, y = batch(t)
        loss = F.cross_entropy(by_hand(x.double()), y)
        slopes = torch.autograd.grad(loss, list(by_hand.parameters()))
        for i, (weight, slope) in enumerate(zip(weights(by_hand), slopes, strict=True)):
            first[i] = 0.9 * first[i] + 0.1 * slope
            second[i] = 0.999 * second[i] + 0.001 * slope**2
            scale = (second[i] / (1 - 0.999**t)).sqrt() + 1e-8
            weight -= RATE * first[i] / (1 - 0.9**t) / scale
            averages[i] = EMA * averages[i] + (1 - EMA) * weight
        close(learner.classifier, weights(by_hand))
        close(learner.averaged, averages)


def test_averages_start_at_the_initial_weights() -> None:
    learner = learning(convolutional())
    for average, weight in zip(weights(learner.averaged), weights(learner.classifier), strict=True):
        assert torch.equal(average, weight)
        assert average.data_ptr() != weight.data_ptr()
    assert not learner.averaged.training


def test_buffers_are_copied_and_not_averaged() -> None:
    learner = learning(counting())
    learner.classifier(torch.ones(5, 4))
    assert int(learner.averaged.get_buffer("seen")) == 0
    learner.average()
    assert int(learner.averaged.get_buffer("seen")) == 5


def test_a_round_is_differentiated_before_any_network_moves() -> None:
    torch.manual_seed(0)
    networks = {CLASSIFIER: nn.Linear(4, 4), "generator": nn.Linear(4, 4)}
    before = copy.deepcopy(networks)
    learner, x = Learner(networks, CPU, 1.0, EMA), torch.rand(3, 4)
    out = learner.classifier(learner.networks["generator"](x)).square().sum()
    learner.descend({CLASSIFIER: out, "generator": -out})
    expected = before[CLASSIFIER](before["generator"](x)).square().sum()
    slopes = torch.autograd.grad(expected, [before[n].weight for n in networks])
    for network, slope in zip(networks.values(), slopes, strict=True):
        sign = 1 if network is networks[CLASSIFIER] else -1
        assert network.weight.grad is not None
        torch.testing.assert_close(network.weight.grad, sign * slope)


def test_a_network_without_a_loss_stays() -> None:
    torch.manual_seed(0)
    networks = {CLASSIFIER: nn.Linear(4, 3), "generator": nn.Linear(4, 4)}
    learner, before = Learner(networks, CPU, RATE, EMA), copy.deepcopy(networks)
    x = learner.networks["generator"](torch.rand(5, 4))
    learner.descend({CLASSIFIER: learner.classifier(x).square().sum()})
    assert torch.equal(networks["generator"].weight, before["generator"].weight)
    assert not torch.equal(networks[CLASSIFIER].weight, before[CLASSIFIER].weight)


def test_a_gradient_of_another_layout_moves_the_right_weights() -> None:
    learner = learning(nn.Linear(4, 3))
    before = learner.classifier.get_parameter("weight").detach().clone()
    learner.descend({CLASSIFIER: learner.classifier.get_parameter("weight").sum()})
    after = learner.classifier.get_parameter("weight").detach()  # its gradient has strides of 0
    torch.testing.assert_close(after, before - RATE)


def test_a_round_sees_the_weights_that_the_last_one_left() -> None:
    learner, x = learning(counting()), torch.rand(5, 4)
    with torch.autocast("cpu", torch.bfloat16):
        learner.descend({CLASSIFIER: learner.classifier(x).float().sum()})
        inside = learner.classifier(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(learner.classifier(x), inside)


def test_a_restored_learner_goes_on_with_the_same_bytes() -> None:
    learner = learning(convolutional())
    for number in (1, 2):
        step(learner, number)
    stored = {name: tensor.clone() for name, tensor in learner.state().items()}
    other = learning(convolutional(seed=5))
    other.restore(stored, Path("state"))
    for number in (3, 4):
        step(learner, number)
        step(other, number)
    assert learner.state().keys() == other.state().keys()
    for name, tensor in learner.state().items():
        assert torch.equal(tensor, other.state()[name]), name


def test_a_state_holds_every_network_and_its_optimizer() -> None:
    networks = {CLASSIFIER: counting(), "generator": nn.Linear(4, 4)}
    learner = Learner(networks, CPU, RATE, EMA)
    out = learner.classifier(learner.networks["generator"](torch.rand(5, 4))).sum()
    learner.descend({CLASSIFIER: out, "generator": -out})
    kinds = {name.split(".")[0] for name in learner.state()}
    owners = {tuple(name.split(".")[:2]) for name in learner.state()}
    assert kinds == {"raw", "average", "adam"}
    assert owners == {(kind, name) for kind in kinds for name in networks}
    assert "raw.classifier.seen" in learner.state()


def test_a_loss_of_an_unknown_network_is_refused() -> None:
    learner = learning(counting())
    with pytest.raises(UserError, match="a loss for critic; its networks: classifier"):
        learner.descend({"critic": learner.classifier(torch.ones(1, 4)).sum()})


def test_a_frozen_network_stays_and_is_its_own_average() -> None:
    torch.manual_seed(0)
    networks = {CLASSIFIER: counting(), "generator": nn.Linear(4, 4)}
    before = copy.deepcopy(networks)
    learner = Learner(networks, CPU, RATE, EMA, frozen=[CLASSIFIER])
    assert not learner.classifier.training
    assert not any(weight.requires_grad for weight in learner.classifier.parameters())
    assert learner.averaged is learner.classifier
    assert learner.watched == "generator"
    out = learner.classifier(learner.networks["generator"](torch.rand(5, 4))).square().sum()
    learner.descend({CLASSIFIER: out, "generator": -out})
    learner.average()
    for found, expected in zip(
        weights(learner.classifier), weights(before[CLASSIFIER]), strict=True
    ):
        assert torch.equal(found, expected)
    moved, still = (nets["generator"].get_parameter("weight") for nets in (networks, before))
    assert not torch.equal(moved, still)
    owners = {tuple(name.split(".")[:2]) for name in learner.state()}
    assert owners == {(kind, "generator") for kind in ("raw", "average", "adam")}
    assert list(learner.averages) == ["generator"]


def test_a_network_beside_a_frozen_one_moves_as_it_would_without() -> None:
    def moved(frozen: list[str], losses: list[str]) -> Tensor:
        torch.manual_seed(0)
        networks = {CLASSIFIER: nn.Linear(4, 3), "generator": nn.Linear(4, 4)}
        learner = Learner(networks, CPU, RATE, EMA, frozen)
        for _ in range(3):
            out = learner.classifier(learner.networks["generator"](torch.ones(5, 4))).square()
            learner.descend({name: -out.sum() for name in losses})
            learner.average()
        return learner.averages["generator"].get_parameter("weight").detach()

    assert torch.equal(moved([CLASSIFIER], [CLASSIFIER, "generator"]), moved([], ["generator"]))


def test_losses_of_frozen_networks_alone_change_nothing() -> None:
    networks = {CLASSIFIER: counting(), "generator": nn.Linear(4, 4)}
    learner = Learner(networks, CPU, RATE, EMA, frozen=[CLASSIFIER])
    before = weights(copy.deepcopy(learner.networks["generator"]))
    x = learner.networks["generator"](torch.rand(5, 4))
    learner.descend({CLASSIFIER: learner.classifier(x).sum()})
    for found, expected in zip(weights(learner.networks["generator"]), before, strict=True):
        assert torch.equal(found, expected)


def test_a_frozen_learner_restores_what_it_stored() -> None:
    def frozen(seed: int) -> Learner:
        torch.manual_seed(seed)
        networks = {CLASSIFIER: nn.Linear(4, 3), "generator": nn.Linear(4, 4)}
        return Learner(networks, CPU, RATE, EMA, frozen=[CLASSIFIER])

    first, second = frozen(0), frozen(1)
    out = first.classifier(first.networks["generator"](torch.ones(5, 4))).sum()
    first.descend({"generator": out})
    kept = weights(copy.deepcopy(second.classifier))
    second.restore({name: tensor.clone() for name, tensor in first.state().items()}, Path("state"))
    for name, tensor in first.state().items():
        assert torch.equal(tensor, second.state()[name]), name
    for found, expected in zip(weights(second.classifier), kept, strict=True):
        assert torch.equal(found, expected)
