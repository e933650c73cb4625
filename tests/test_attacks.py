"""The four attacks against networks whose right answer is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import planes
from planes import Planes
from robench.attack import Attack
from robench.errors import UserError
from robench.estimator import wrap
from robench_attacks.constants import bisect
from robench_attacks.cw import CarliniWagner, carlini_wagner
from robench_attacks.deepfool import DeepFool, deepfool
from robench_attacks.fgm import FGM
from robench_attacks.mim import MIM
from robench_attacks.network import Network

Images = NDArray[np.float32]
Labels = NDArray[np.int64]
STRONG: tuple[Attack, ...] = (
    FGM(eps=2.0),
    MIM(eps=2.0, step=0.5, steps=10),
    DeepFool(),
    CarliniWagner(learning_rate=0.02),
)
SHAPES = [(1, 2, 2), (3, 4, 4), (3, 8, 8)]


def attack(budget: Attack, network: Planes, x: Images, y: Labels | None = None) -> Images:
    labels = planes.labels(network, x) if y is None else y
    estimator = wrap(network, x.shape[1:], len(network.bias))
    return budget.build(estimator).generate(x, labels)


def distances(x: Images, attacked: Images) -> NDArray[np.float64]:
    return np.linalg.norm((attacked.astype(np.float64) - x).reshape(len(x), -1), axis=1)


def far(
    network: Planes, shape: tuple[int, int, int], at_least: float, count: int = 24
) -> tuple[Images, Labels]:
    """Return images no nearer to a boundary than given, with their labels."""
    x = planes.images(shape, 400)
    y = planes.labels(network, x)
    keep = np.flatnonzero(planes.nearest(network, x, y) >= at_least)[:count]
    assert len(keep) == count
    return x[keep], y[keep]


@pytest.mark.parametrize("scale", [1, 30])
@pytest.mark.parametrize(("shape", "classes"), [(SHAPES[0], 2), (SHAPES[1], 3), (SHAPES[2], 10)])
def test_cw_finds_the_optimum_within_5_percent(
    shape: tuple[int, int, int], classes: int, scale: float
) -> None:
    network = planes.regular_planes(shape, classes, scale=scale)
    x, y = far(network, shape, at_least=0.08)
    attacked = attack(CarliniWagner(), network, x)
    assert (planes.labels(network, attacked) != y).all()
    ratio = distances(x, attacked) / planes.nearest(network, x, y)
    assert ratio.min() > 0.999
    assert ratio.mean() < 1.05
    assert np.median(ratio) < 1.02


def test_cw_at_a_cifar_image_size_needs_smaller_steps() -> None:
    """One step of Adam moves all 3072 values: 0.14 in L2 at the paper's rate, here 0.014."""
    shape = (3, 32, 32)
    network = planes.regular_planes(shape, 4, scale=10)
    x, y = far(network, shape, at_least=0.05, count=8)
    attacked = attack(CarliniWagner(learning_rate=5e-4), network, x)
    assert (planes.labels(network, attacked) != y).all()
    assert (distances(x, attacked) / planes.nearest(network, x, y)).max() < 1.05


def test_cw_searches_the_constant_tenfold_then_bisects() -> None:
    constant, lower, upper = torch.tensor([0.01]), torch.zeros(1), torch.tensor([1e10])
    tried = []
    for success in (False, False, True, False, False, True):
        constant, lower, upper = bisect(constant, lower, upper, torch.tensor([success]))
        tried.append(constant.item())
    assert tried == pytest.approx([0.1, 1.0, 0.55, 0.775, 0.8875, 0.83125])


def test_cw_with_confidence_goes_that_far_past_the_boundary() -> None:
    network = planes.regular_planes((3, 4, 4), 3, scale=10)
    x, y = far(network, (3, 4, 4), at_least=0.08)
    scores = planes.logits(network, attack(CarliniWagner(confidence=1.0), network, x))
    own = scores[np.arange(len(x)), y].copy()
    scores[np.arange(len(x)), y] = -np.inf
    assert (scores.max(axis=1) - own >= 1.0).all()
    assert np.median(scores.max(axis=1) - own) < 1.1


def test_cw_leaves_misclassified_images_and_failures_alone() -> None:
    network = planes.random_planes((3, 4, 4), 3)
    x = planes.images((3, 4, 4), 32)
    wrong = (planes.labels(network, x) + 1) % 3
    assert np.array_equal(attack(CarliniWagner(), network, x, wrong), x)
    unreachable = Planes(network.weight.data, torch.tensor([1000.0, 0.0, 0.0]))
    assert np.array_equal(attack(CarliniWagner(), unreachable, x), x)


@pytest.mark.parametrize(("overshoot", "off"), [(0.02, 0.01), (1e-4, 0.01), (0.5, 0.01)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_deepfool_finds_the_optimum(
    shape: tuple[int, int, int], classes: int, overshoot: float, off: float
) -> None:
    network = planes.random_planes(shape, classes, scale=10)
    x = planes.images(shape, 200)
    y = planes.labels(network, x)
    optimum = planes.nearest(network, x, y)
    inside = (optimum > 1e-3) & (optimum * (1 + overshoot) < 0.15)  # the box is 0.15 away
    x, y, optimum = x[inside], y[inside], optimum[inside]
    attacked = attack(DeepFool(overshoot=overshoot), network, x)
    assert (planes.labels(network, attacked) != y).all()
    np.testing.assert_allclose(distances(x, attacked), (1 + overshoot) * optimum, rtol=off)


def test_deepfool_considers_the_candidates_alone() -> None:
    weight = torch.eye(3, 4)
    weight[2] *= 100  # the class of the lowest logit (-4) has the nearest boundary
    network = Planes(weight, torch.tensor([0.0, -0.1, -54.0]))
    x = np.full((1, 1, 2, 2), 0.5, dtype=np.float32)
    for candidates, found, optimum in ((2, 1, 0.1 / 2**0.5), (3, 2, 4.5 / 10001**0.5)):
        attacked = attack(DeepFool(candidates=candidates), network, x)
        assert planes.labels(network, attacked)[0] == found
        assert distances(x, attacked)[0] == pytest.approx(1.02 * optimum, rel=0.01)


def test_deepfool_returns_a_moved_point_on_failure() -> None:
    network = planes.random_planes((3, 4, 4), 3)
    network.bias.data = torch.tensor([1000.0, 0.0, 0.0])
    x = planes.images((3, 4, 4), 8)
    attacked = attack(DeepFool(steps=3), network, x)
    assert np.isfinite(attacked).all()
    assert (distances(x, attacked) > 0.1).all()


def slope(network: Planes, x: NDArray[np.float64], y: Labels) -> NDArray[np.float64]:
    """Return the gradient of the cross-entropy, in float64."""
    scores = planes.logits(network, x)
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    return (p @ network.weight.detach().numpy().astype(np.float64)).reshape(x.shape)


def length(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt((v**2).sum(axis=(1, 2, 3), keepdims=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_fgm_is_one_normalised_step(shape: tuple[int, int, int]) -> None:
    network = planes.random_planes(shape, 4, scale=3)
    x = planes.images(shape, 16)
    y = np.arange(16) % 4
    g = slope(network, x.astype(np.float64), y)
    by_hand = np.clip(x + 0.5 * g / length(g), 0, 1)
    np.testing.assert_allclose(attack(FGM(), network, x, y), by_hand, atol=2e-6)


def test_fgm_moves_images_that_the_network_is_certain_of() -> None:
    network = planes.random_planes((3, 8, 8), 4, scale=1e4)
    x = planes.images((3, 8, 8), 16)
    y = planes.labels(network, x)
    lead = np.diff(np.sort(planes.logits(network, x))[:, -2:])
    assert (lead > 104).any()  # exp(-104) is 0 in float32
    np.testing.assert_allclose(distances(x, attack(FGM(eps=0.3), network, x, y)), 0.3, rtol=1e-5)


@pytest.mark.parametrize("edge", [False, True])
def test_mim_matches_three_steps_by_hand(edge: bool) -> None:
    network = planes.random_planes((3, 4, 4), 4, scale=3)
    x = planes.images((3, 4, 4), 16)
    x = np.round(x) if edge else x  # all values on the box's edge: clipping matters
    y = np.arange(16) % 4
    eps, step, decay = 0.15, 0.06, 0.9
    start = point = x.astype(np.float64)
    momentum = np.zeros_like(start)
    for _ in range(3):
        g = slope(network, point, y)
        momentum = decay * momentum + g / np.abs(g).mean(axis=(1, 2, 3), keepdims=True)
        moved = point + step * momentum / length(momentum) - start
        point = np.clip(start + moved * np.minimum(1, eps / length(moved)), 0, 1)
    attacked = attack(MIM(eps=eps, step=step, steps=3, decay=decay), network, x, y)
    np.testing.assert_allclose(attacked, point, atol=3e-6)


def small_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 8, 3, stride=2), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Flatten()]
    return nn.Sequential(*layers, nn.BatchNorm1d(72), nn.Linear(72, 5))


@pytest.mark.parametrize("budget", STRONG, ids=lambda a: type(a).__name__)
def test_an_attack_stays_in_box_and_radius_and_fools(budget: Attack) -> None:
    network = small_network()
    x = np.random.default_rng(0).random((20, 3, 8, 8), dtype=np.float32)
    x[:, :, :4] = np.round(x[:, :, :4])
    estimator = wrap(network, (3, 8, 8), 5)
    y = estimator.predict(x).argmax(axis=1)
    attacked = budget.build(estimator).generate(x, y)
    assert attacked.shape == x.shape
    assert attacked.dtype == np.float32
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    assert distances(x, attacked).max() <= (budget.radius or np.inf) + 1e-6
    assert (estimator.predict(attacked).argmax(axis=1) != y).all()


class Constant(nn.Module):
    """Logits that do not depend on the image."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor([1.0, 0.0, 0.0]).expand(len(x), 3)


@pytest.mark.parametrize("budget", STRONG, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize(
    "network", [Constant(), Planes(torch.zeros(3, 48), torch.tensor([1.0, 0, 0]))]
)
def test_an_image_without_gradient_comes_back_as_it_is(budget: Attack, network: nn.Module) -> None:
    x = planes.images((3, 4, 4), 5)
    attacked = budget.build(wrap(network, (3, 4, 4), 3)).generate(x, np.zeros(5, dtype=np.int64))
    assert np.array_equal(attacked, x)


CUT: dict[str, Callable[[Network, Tensor, Tensor], Tensor]] = {
    "cw": lambda f, x, y: carlini_wagner(f, x, y, CarliniWagner()),
    "deepfool": lambda f, x, y: deepfool(f, x, steps=50, candidates=3, overshoot=0.02),
}


@pytest.mark.parametrize("name", CUT)
def test_images_that_are_done_cost_nothing_and_change_nothing(name: str) -> None:
    torch.manual_seed(3)
    hidden, last = torch.randn(40, 48), torch.randn(4, 40)
    passes = 0

    def logits(x: Tensor) -> Tensor:
        nonlocal passes
        passes += len(x)
        inner = torch.tanh((x.flatten(1).unsqueeze(1) * hidden).sum(dim=2))
        return (inner.unsqueeze(1) * last).sum(dim=2)

    x = torch.from_numpy(planes.images((3, 4, 4), 8))
    y = logits(x).argmax(dim=1)
    passes = 0
    together, cost = CUT[name](Network(logits), x, y), passes
    costs = []
    for i in range(len(x)):
        passes = 0
        alone = CUT[name](Network(logits), x[i : i + 1], y[i : i + 1])
        torch.testing.assert_close(alone, together[i : i + 1], rtol=0, atol=1e-5)
        costs.append(passes)
    assert cost == sum(costs)
    assert len(set(costs)) > 1


def test_more_deepfool_steps_than_needed_change_nothing() -> None:
    network = planes.random_planes((3, 4, 4), 3)
    x = planes.images((3, 4, 4), 8)
    one = attack(DeepFool(steps=1), network, x)
    assert np.array_equal(one, attack(DeepFool(steps=9), network, x))


@pytest.mark.parametrize(
    ("budget", "setting", "value"),
    [
        (FGM(), "eps", 0.0),
        (FGM(), "eps", float("nan")),
        (MIM(), "eps", -1.0),
        (MIM(), "step", 0.0),
        (MIM(), "steps", 0),
        (MIM(), "decay", -0.1),
        (DeepFool(), "steps", 0),
        (DeepFool(), "candidates", 1),
        (DeepFool(), "overshoot", -0.1),
        (CarliniWagner(), "confidence", -1.0),
        (CarliniWagner(), "learning_rate", 0.0),
        (CarliniWagner(), "searches", 0),
        (CarliniWagner(), "steps", 0),
        (CarliniWagner(), "initial_constant", float("inf")),
    ],
)
def test_settings_without_sense_are_refused(budget: Attack, setting: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{setting}="):
        replace(budget, **{setting: value})
