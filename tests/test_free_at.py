"""Free adversarial training, step by step against plain code; what it carries, and how far."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tiny
from gradients import batch, gradient, same, smooth
from robench.errors import UserError
from robench.runs import RunFolder
from robench.settings import configure
from robench_defenses.free import FreeAT

RATE = 0.05


def descended(model: nn.Module, rounds: Iterator[Mapping[str, Tensor]]) -> list[Tensor]:
    """Move the classifier down each round's loss, as the harness does; return the losses."""
    losses = []
    for losses_by_name in rounds:
        loss = losses_by_name["classifier"]
        slopes = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for weight, slope in zip(model.parameters(), slopes, strict=True):
                weight.sub_(RATE * slope)
        losses.append(loss.detach())
    return losses


def by_hand(
    model: nn.Module, x: Tensor, y: Tensor, carried: Tensor, eps: float, replays: int
) -> tuple[list[Tensor], Tensor]:
    """Do the same an image at a time; return the losses and the perturbation that goes on."""
    losses = []
    for _ in range(replays):
        images = (x + carried).clamp(0, 1).requires_grad_()
        loss = F.cross_entropy(model(images), y)
        weights = list(model.parameters())
        found = torch.autograd.grad(loss, [images, *weights])
        with torch.no_grad():
            for number, slope in enumerate(found[0]):
                step = carried[number] + eps * slope / slope.square().sum().sqrt()
                carried[number] = step * min(1.0, eps / float(step.square().sum().sqrt()))
            for weight, slope in zip(weights, found[1:], strict=True):
                weight.sub_(RATE * slope)
        losses.append(loss.detach())
    return losses, carried


def test_three_batches_are_those_of_the_algorithm() -> None:
    model, (x, y) = smooth(), batch()
    other, defense, carried = copy.deepcopy(model), FreeAT(eps=0.4, replays=3), torch.zeros_like(x)
    defense.begin_epoch()
    for order in ((0, 1, 2, 3, 4, 5), (3, 5, 1, 0, 2, 4), (2, 0, 4, 1)):  # the last is smaller
        index = torch.tensor(order)
        found = descended(model, defense.updates(model, x[index], y[index]))
        expected, carried = by_hand(other, x[index], y[index], carried[: len(index)], 0.4, 3)
        same(torch.stack(found), torch.stack(expected))
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        same(a, b)


def test_a_gradient_that_is_known_is_that_of_the_loss() -> None:
    model, (x, y) = smooth(), batch()
    (round_,) = FreeAT(replays=1).updates(model, x, y)
    same(round_["classifier"], F.cross_entropy(model(x), y))
    same(gradient(round_["classifier"], model), gradient(F.cross_entropy(model(x), y), model))


def test_the_second_replay_without_an_update_is_fgm() -> None:
    model, (x, y) = smooth(), batch()
    first, second = FreeAT(eps=0.4, replays=2).updates(model, x, y)
    image = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(model(image), y, reduction="sum"), image)
    lengths = slope.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    same(first["classifier"], F.cross_entropy(model(x), y))
    same(second["classifier"], F.cross_entropy(model((x + 0.4 * slope / lengths).clamp(0, 1)), y))


def test_an_epoch_begins_without_a_perturbation() -> None:
    model, (x, y) = smooth(), batch()
    defense = FreeAT()
    list(defense.updates(model, x, y))
    assert bool(defense.carried(x).any())
    assert not bool(torch.equal(defense.loss(model, x, y), F.cross_entropy(model(x), y)))
    defense.begin_epoch()
    assert not bool(defense.carried(x).any())
    assert torch.equal(defense.loss(model, x, y), F.cross_entropy(model(x), y))


def test_the_perturbation_stays_in_the_ball_and_fits_other_batches() -> None:
    model, (x, y) = smooth(), batch()
    defense = FreeAT(eps=0.4)
    list(defense.updates(model, x, y))
    carried = defense.carried(x)
    assert float(carried.flatten(1).norm(dim=1).max()) <= 0.4 * (1 + 1e-12)
    assert torch.equal(defense.carried(x[:2]), carried[:2])
    list(defense.updates(model, x[:2], y[:2]))
    assert defense.carried(x).shape == x.shape


def test_a_run_that_was_stopped_goes_on_with_the_same_bytes(tints: Path, tmp_path: Path) -> None:
    request = {"epochs": 3, "batch_size": 20, "settings": {"replays": 3}}
    whole = tiny.planned("free-at", tints, tmp_path / "whole", **request)
    tiny.epochs(whole)
    for _ in range(3):
        next(tiny.stepwise(tiny.planned("free-at", tints, tmp_path / "parts", **request)))
    parts = tiny.planned("free-at", tints, tmp_path / "parts", **request)
    tiny.epochs(parts)
    found, expected = (RunFolder(one.root / one.spec.key) for one in (parts, whole))
    assert found.final.read_bytes() == expected.final.read_bytes()


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"eps": "0"}, "eps=0.0 is not above 0"), ({"replays": "0"}, "replays=0 is not at least 1")],
)
def test_settings_that_make_no_attack_are_refused(settings: dict[str, str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        configure(FreeAT, settings, "free-at")
