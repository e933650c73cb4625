"""Projected gradient descent against networks whose right answer is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import planes
import subjects
import tiny
from planes import Planes
from robench.attack import Attack
from robench.errors import UserError
from robench.estimator import wrap
from robench.evaluation import NamedAttack, evaluate
from robench.metrics import accuracy
from robench.outcomes import Outcomes
from robench.panel import choose
from robench.planning import data_of
from robench_attacks.fgm import FGM
from robench_attacks.pgd import PGD, pgd

Images = NDArray[np.float32]
SHAPE = (3, 4, 4)


def attack(budget: Attack, network: Planes, x: Images, y: NDArray[np.int64]) -> Images:
    torch.manual_seed(0)
    return budget.build(wrap(network, SHAPE, len(network.bias))).generate(x, y)


def distances(x: Images, attacked: Images) -> NDArray[np.float64]:
    return np.linalg.norm((attacked.astype(np.float64) - x).reshape(len(x), -1), axis=1)


def test_on_a_linear_network_it_ends_at_the_far_side_of_the_ball() -> None:
    network = planes.random_planes(SHAPE, 2, scale=10)
    x = planes.images(SHAPE, 16)
    y = np.arange(16) % 2
    weight = network.weight.detach().numpy().astype(np.float64)
    ways = (weight[1 - y] - weight[y]).reshape(x.shape)  # up the loss, wherever the point is
    ways /= np.linalg.norm(ways.reshape(len(x), -1), axis=1).reshape(-1, 1, 1, 1)
    # Each step shortens what the random start left aside to at most 6/7.
    attacked = attack(PGD(eps=0.1, steps=100), network, x, y)
    np.testing.assert_allclose(attacked, x + 0.1 * ways, atol=1e-6)


@pytest.mark.parametrize("edge", [False, True])
def test_three_steps_are_those_written_out(edge: bool) -> None:
    network = planes.random_planes(SHAPE, 4, scale=3)
    x = torch.from_numpy(planes.images(SHAPE, 16))
    x = x.round() if edge else x  # all values on the box's edge: clipping matters
    y = torch.arange(16) % 4
    eps, step = 0.3, 0.1

    def norm(v: Tensor) -> Tensor:
        return v.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()

    torch.manual_seed(3)
    found = pgd(network, x, y, eps=eps, steps=3, step=step)
    torch.manual_seed(3)
    way, share = torch.randn(x.shape), torch.rand(16, 1, 1, 1) ** (1 / 48)
    point = (x + eps * share * way / norm(way)).clamp(0, 1)
    for _ in range(3):
        point = point.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(network(point), y, reduction="sum")
        (slope,) = torch.autograd.grad(loss, point)
        moved = point + step * slope / norm(slope) - x
        point = (x + moved * (eps / norm(moved)).clamp_max(1)).clamp(0, 1)
    torch.testing.assert_close(found, point.detach(), rtol=0, atol=3e-6)


@pytest.mark.parametrize("eps", [0.05, 0.5, 5.0])
def test_images_stay_in_ball_and_box(eps: float) -> None:
    network = planes.random_planes(SHAPE, 3, scale=10)
    x = np.random.default_rng(0).random((20, *SHAPE), dtype=np.float32)
    x[:, :, :2] = np.round(x[:, :, :2])
    attacked = attack(PGD(eps=eps), network, x, planes.labels(network, x))
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert distances(x, attacked).max() <= eps + 1e-6
    assert distances(x, attacked).max() > 0.4 * eps
    assert PGD(eps=eps).radius == eps


def test_an_image_without_gradient_stays_where_it_started() -> None:
    flat = Planes(torch.zeros(3, 48), torch.tensor([1.0, 0, 0]))
    x, y = torch.from_numpy(planes.images(SHAPE, 5)), torch.zeros(5, dtype=torch.int64)
    torch.manual_seed(1)
    found = pgd(flat, x, y, eps=0.1, steps=7, step=0.1)
    torch.manual_seed(1)
    assert torch.equal(found, pgd(flat, x, y, eps=0.1, steps=1, step=0.1))
    assert not torch.equal(found, x)


def test_it_is_no_weaker_than_one_step_on_a_trained_network(tints: Path, tmp_path: Path) -> None:
    training = {"epochs": 8, "batch_size": 8, "precision": "float32"}
    run = tiny.trained("baseline", tints, tmp_path, **training)
    data = data_of(run.spec, tints, tmp_path, "cpu")
    victim, panel = subjects.opened(tmp_path, data), choose(data, None, 0)
    left: dict[str, list[float]] = {"fgm": [], "pgd": []}
    for eps in (0.5, 1.0, 1.5, 2.0):
        for name, budget in (("fgm", FGM(eps=eps)), ("pgd", PGD(eps=eps))):
            record, _ = evaluate(tmp_path, victim, NamedAttack(name, budget), panel, data=data)
            assert record.violations == 0
            path = tmp_path / "evaluations" / f"{record.key}.npz"
            left[name].append(accuracy(Outcomes.load(path)).value)
    assert sum(left["pgd"]) <= sum(left["fgm"])
    assert left["fgm"][0] > left["pgd"][-1]  # the radius matters


@pytest.mark.parametrize(
    ("setting", "value"), [("eps", 0.0), ("eps", float("nan")), ("step_share", 0.0), ("steps", 0)]
)
def test_settings_without_sense_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"PGD: {setting}="):
        replace(PGD(), **{setting: value})
