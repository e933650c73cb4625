"""Auto-PGD against what can be worked out by hand, and against PGD."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import planes
from readers import CLASSES, Reader
from readers import SHAPE as SHOWN
from robench.attacking import reproducible
from robench.benchmarking.passes import Counted, Tally
from robench.engine import rehearse
from robench.errors import UserError
from robench.estimator import wrap
from robench.records import Precision
from robench_attacks.apgd import APGD, apgd, checks
from robench_attacks.gradient import loss_ratio, unit
from robench_attacks.network import Network
from robench_attacks.pgd import PGD

SHAPE = (3, 4, 4)


@pytest.mark.parametrize(
    ("steps", "at"),
    [
        (100, [22, 41, 57, 70, 80, 87, 93, 99]),  # the paper's, Section 3.1
        (10, [2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (1, [1]),
    ],
)
def test_checks_come_as_published(steps: int, at: list[int]) -> None:
    windows = checks(steps)
    assert windows.shape == (steps + 1,)
    assert windows.nonzero().flatten().tolist() == at
    assert windows[at].tolist() == np.diff([0, *at]).tolist()


def test_on_a_linear_network_it_ends_at_the_far_side_of_the_ball() -> None:
    network = planes.random_planes(SHAPE, 2, scale=10)
    x, y = torch.from_numpy(planes.images(SHAPE, 16)), torch.arange(16) % 2
    way = (network.weight[1 - y] - network.weight[y]).detach().view_as(x)
    way /= way.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.manual_seed(0)
    found = apgd(Network(network), x, y, APGD(eps=0.1, steps=100, stop_early=False))
    torch.testing.assert_close(found, x + 0.1 * way, rtol=0, atol=2e-4)


def by_hand(logits: Any, x: Tensor, y: Tensor, start: Tensor, eps: float, steps: int) -> Tensor:
    """Return the best point of one image: Algorithm 1 of the paper, written out, no early stop."""

    def ball(point: Tensor) -> Tensor:
        moved = point - x
        return (x + moved * min(1.0, eps / float(moved.norm()))).clamp(0, 1)

    def value(point: Tensor) -> tuple[float, Tensor]:
        leaf = point.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(logits(leaf), y)
        (slope,) = torch.autograd.grad(loss, leaf)
        return float(loss.detach()), slope / slope.norm()

    step, windows = 2 * eps, checks(steps).tolist()
    point = last = start
    loss, slope = value(point)
    best, highest, steepest = point, loss, slope
    rises, then, halved = 0, loss, True
    for number in range(1, steps + 1):
        aim = ball(point + step * slope)
        share = 0.75 if number > 1 else 1.0
        new = ball(point + share * (aim - point) + (1 - share) * (point - last))
        last, point, before = point, new, loss
        loss, slope = value(point)
        rises += loss > before
        if loss > highest:
            best, highest, steepest = point, loss, slope
        if windows[number]:
            idle = not halved and then >= highest
            halved = rises <= 0.75 * windows[number] or idle
            if halved:
                step, point, slope = step / 2, best, steepest
            rises, then = 0, highest
    return best


@pytest.mark.parametrize("eps", [0.1, 0.6])
@pytest.mark.parametrize("steps", [1, 4, 11, 40])
def test_it_is_the_published_algorithm(steps: int, eps: float) -> None:
    """On a network so wound that the ascent has not settled in the end."""
    torch.manual_seed(5)
    hidden, outer = 3 * torch.randn(20, 48).double(), torch.randn(4, 20).double()

    def logits(x: Tensor) -> Tensor:
        return (x.flatten(1) @ hidden.T).sin() @ outer.T

    x = torch.from_numpy(planes.images(SHAPE, 6)).double()
    y = logits(x).argmax(dim=1)
    torch.manual_seed(1)
    found = apgd(Network(logits), x, y, APGD(eps=eps, steps=steps, stop_early=False))
    torch.manual_seed(1)
    drawn = torch.randn_like(x)
    drawn /= drawn.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    starts = (x + eps * drawn).clamp(0, 1)
    for row in range(6):
        one = slice(row, row + 1)
        expected = by_hand(logits, x[one], y[one], starts[one], eps, steps)
        torch.testing.assert_close(found[one], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_stopping_early_fools_as_many_for_less(precision: Precision, reader: Reader) -> None:
    tally = Tally()
    counted = Reader(Counted(reader.network, tally).eval(), reader.x, reader.y)
    fooled, passes = {}, {}
    for early in (True, False):
        tally.samples.clear()
        with reproducible():
            attack = APGD(steps=30, stop_early=early).build(counted.estimator(precision))
            attacked = attack.generate(counted.x, counted.y)
        assert counted.distances(attacked).max() <= 0.5 * (1 + 1e-6)
        passes[early] = tally.samples["backward", precision]
        fooled[early] = counted.fooled(attacked)
    assert abs(int(fooled[True].sum()) - int(fooled[False].sum())) <= (precision == "bf16")
    assert passes[False] == len(reader.x) * 31
    assert passes[True] < 0.7 * passes[False]


@pytest.mark.parametrize("eps", [0.3, 0.5])
def test_it_is_no_weaker_than_pgd(eps: float, reader: Reader) -> None:
    fooled = []
    for attack in (APGD(eps=eps, steps=40), PGD(eps=eps, steps=40)):
        with reproducible():
            attacked = attack.build(reader.estimator()).generate(reader.x, reader.y)
        fooled.append(int(reader.fooled(attacked).sum()))
    assert fooled[0] >= fooled[1] - 1
    assert 0.2 * len(reader.x) < fooled[0] < len(reader.x)


def test_the_difference_of_logits_ratio_needs_three_classes() -> None:
    network = planes.random_planes(SHAPE, 2)
    x, estimator = planes.images(SHAPE, 4), wrap(network, SHAPE, 2)
    words = "loss=dlr compares three classes, the network has 2; use loss=ce"
    for build in (APGD(loss="dlr").build, APGD(loss="dlr").build_art):
        with pytest.raises(UserError, match=words):
            build(estimator)
    changed = APGD().build(estimator)
    changed.set_params(loss="dlr")
    with pytest.raises(UserError, match=words):
        changed.generate(x, planes.labels(network, x))


def ratio_by_hand(scores: list[float], label: int) -> float:
    """Return the ratio of one image, as published."""
    ranked = sorted(scores, reverse=True)
    best = max(score for name, score in enumerate(scores) if name != label)
    return -(scores[label] - best) / (ranked[0] - ranked[2])


@pytest.mark.parametrize("classes", [3, 4, 10])
def test_the_ratio_is_the_published_one(classes: int) -> None:
    """Whatever the label's rank, and its gradient that of finite differences."""
    generator = torch.Generator().manual_seed(classes)
    scores = 5 * torch.randn(40, classes, dtype=torch.float64, generator=generator)
    y = torch.arange(40) % classes
    found = loss_ratio(scores, y)
    expected = [ratio_by_hand(*one) for one in zip(scores.tolist(), y.tolist(), strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert ((found <= 0) == (scores.argmax(dim=1) == y)).all()
    assert torch.autograd.gradcheck(lambda z: loss_ratio(z, y), scores.requires_grad_())


def test_the_ratio_is_finite_where_logits_are_equal() -> None:
    scores = torch.tensor([[2.0, 2, 2, 0], [0, 0, 0, 0], [2, 2, 2, 0]], requires_grad=True)
    value = loss_ratio(scores, torch.tensor([0, 1, 3]))
    value.sum().backward()
    assert value[:2].tolist() == [0, 0]
    assert value.isfinite().all()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_the_ratio_fools_where_the_gradient_of_cross_entropy_vanishes(reader: Reader) -> None:
    """Logits times 1e4 hide the gradient of cross-entropy in float32; all but the ratio is lost."""

    class Steep(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 1e4 * reader.network(x)

    x, y = reader.tensors()
    leaf = x.clone().requires_grad_()
    torch.nn.functional.cross_entropy(Steep()(leaf), y, reduction="sum").backward()
    assert leaf.grad is not None
    hidden = leaf.grad.flatten(1).abs().amax(dim=1) == 0
    assert hidden.float().mean() > 0.9
    attack, fooled = APGD(eps=0.5, steps=30, loss="dlr"), []
    for network in (reader.network, Steep().eval()):
        with reproducible():
            attacked = attack.build(wrap(network, SHOWN, CLASSES)).generate(reader.x, reader.y)
        assert reader.distances(attacked).max() <= 0.5 * (1 + 1e-6)
        fooled.append(reader.fooled(attacked))
    assert fooled[0].mean() > 0.3
    assert abs(int(fooled[1].sum()) - int(fooled[0].sum())) <= 1
    assert fooled[1][hidden.numpy()].mean() > 0.3


def test_arts_engine_takes_the_ratio() -> None:
    rehearse("apgd", APGD(loss="dlr"))


def test_arts_ratio_is_the_same(reader: Reader) -> None:
    """Its loss and the direction of its gradient, image by image."""
    x, y = reader.tensors()
    art = APGD(loss="dlr").build_art(reader.estimator()).estimator
    onehot = np.eye(CLASSES, dtype=np.float32)[reader.y]
    leaf = x.clone().requires_grad_()
    value = loss_ratio(reader.network(leaf), y)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    loss = art.compute_loss(x=reader.x, y=onehot, reduction="none")
    np.testing.assert_allclose(loss, value.detach().numpy(), atol=1e-5)
    found = torch.from_numpy(art.loss_gradient(reader.x, onehot))
    torch.testing.assert_close(unit(found), unit(slope), rtol=0, atol=1e-4)


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_the_ratio_does_not_depend_on_the_scale_of_the_logits(
    factor: float, reader: Reader
) -> None:
    x, y = reader.tensors()
    x, y, network = x[:20].double(), y[:20], reader.doubled()
    budget = APGD(eps=0.3, steps=10, loss="dlr")
    with torch.no_grad():
        torch.manual_seed(0)
        expected = apgd(Network(network), x, y, budget)
        torch.manual_seed(0)
        found = apgd(Network(lambda x: factor * network(x)), x, y, budget)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("setting", "value"), [("eps", 0.0), ("eps", float("inf")), ("steps", 0)])
def test_settings_without_sense_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"APGD: {setting}="):
        replace(APGD(), **{setting: value})
