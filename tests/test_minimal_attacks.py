"""Minimal attacks against distances known in closed form, in float32 and searching in bf16."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

import planes
from margins import Diamond, Ellipsoid, Region, Slab
from planes import Planes
from readers import Reader
from robench.attack import Attack
from robench.estimator import wrap
from robench.records import Precision
from robench_attacks.boundary import LAST, Found, approach, walk
from robench_attacks.cw import CarliniWagner
from robench_attacks.ddn import DDN
from robench_attacks.deepfool import DeepFool, deepfool
from robench_attacks.network import Network, lead
from robench_attacks.walk import BoundaryWalk

Images = NDArray[np.float32]
Distances = NDArray[np.float64]
SHAPE, SIZE, COUNT = (3, 4, 4), 48, 10
PRECISIONS: tuple[Precision, ...] = ("float32", "bf16")
ATTACKS: dict[str, Attack] = {
    "cw": CarliniWagner(),
    "cw, warm": CarliniWagner(warm_start=True, bisections=6),
    "deepfool": DeepFool(),
    "ddn": DDN(),
    "walk": BoundaryWalk(),
    "walk, from DeepFool alone": BoundaryWalk(ddn_steps=0),
}


class Dense(Planes):
    """The same logits by a matrix product: that is what autocast computes in bf16."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        return F.linear(x.flatten(1), self.weight, self.bias)


def ratios(
    attack: Attack, network: nn.Module, x: Images, known: Distances, precision: Precision
) -> Distances:
    """Return distances as shares of the known ones, all successes having been seen in float32."""
    judge = wrap(network, SHAPE, 10 if isinstance(network, Planes) else 2)
    searched = wrap(network, SHAPE, judge.nb_classes, precision)
    y = judge.predict(x).argmax(axis=1)
    attacked = attack.build(searched).generate(x, y)
    assert (judge.predict(attacked).argmax(axis=1) != y).all()
    moved = (attacked.astype(np.float64) - x).reshape(len(x), -1)
    found: Distances = np.linalg.norm(moved, axis=1) / known
    assert found.min() > 0.999  # nothing is nearer than the nearest
    return found


def shown(network: Region, side: int) -> tuple[Images, Distances]:
    """Return images of one side, no nearer to the boundary than 0.03, and how near they are."""
    x = planes.images(SHAPE, 400)
    with torch.no_grad():
        sides = network(torch.from_numpy(x)).argmax(dim=1).numpy()
    x = x[sides == side]
    known = network.margin(x.reshape(len(x), -1).astype(np.float64))
    keep = np.flatnonzero(known > 0.03)[:COUNT]
    assert len(keep) == COUNT
    return x[keep], known[keep]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ATTACKS)
def test_on_planes_the_nearest_is_found(name: str, precision: Precision) -> None:
    flat = planes.regular_planes(SHAPE, 10, scale=30)
    network = Dense(flat.weight.data, flat.bias.data)
    x = planes.images(SHAPE, 400)
    known = planes.nearest(network, x, planes.labels(network, x))
    keep = np.flatnonzero(known > 0.08)[:COUNT]
    found = ratios(ATTACKS[name], network, x[keep], known[keep], precision)
    if name == "deepfool":
        np.testing.assert_allclose(found, 1.02, rtol=0.002 if precision == "float32" else 0.01)
    assert found.mean() < {"deepfool": 1.021, "ddn": 1.02}.get(name, 1.01)


REGIONS: dict[str, Callable[[], Region]] = {
    "slab": lambda: Slab(SIZE, width=0.12, steep=10.0),
    "diamond": lambda: Diamond(SIZE, radius=5.5),
    "ellipsoid": lambda: Ellipsoid(SIZE, short=0.4, long=1.2),
}
WITHIN: dict[str, float] = {"deepfool": 1.04}
"""Mean ratios; the others' is 1.02."""


SIDES = [("slab", 0), ("slab", 1), ("diamond", 0), ("ellipsoid", 0), ("ellipsoid", 1)]
CASES = [
    (kind, side, name)
    for kind, side in SIDES
    for name in ATTACKS
    if (side, name) != (1, "ddn")  # its first sphere, of radius 1, lies beyond the region
]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("kind", "side", "name"), CASES)
def test_of_two_layers_the_margin_is_found(
    kind: str, side: int, name: str, precision: Precision
) -> None:
    network = REGIONS[kind]()
    x, known = shown(network, side)
    found = ratios(ATTACKS[name], network, x, known, precision)
    if (kind, name) == ("ellipsoid", "deepfool"):  # it follows the steepest way, not the nearest
        assert (1.02 if side == 0 else 1.0) < found.mean() < 1.2
    else:
        assert found.mean() < WITHIN.get(name, 1.02)


def test_the_margins_are_those_of_the_nearest_of_many_boundary_points() -> None:
    """Along random ways none is nearer; along the way to the nearest one, it is there."""
    generator = np.random.default_rng(5)
    for build in REGIONS.values():
        network = build().double()
        x, known = shown(build(), 0)
        ways = generator.standard_normal((200, len(x), SIZE))
        ways /= np.linalg.norm(ways, axis=2, keepdims=True)
        points = torch.from_numpy(x.reshape(len(x), -1) + 0.999 * known[:, None] * ways)
        with torch.no_grad():
            assert (network.inside(points.flatten(0, 1)) > 0).all()


def test_a_walk_along_a_curved_boundary_ends_at_the_nearest_point() -> None:
    network = Ellipsoid(SIZE, short=0.4, long=1.2).double()
    images, known = shown(Ellipsoid(SIZE, short=0.4, long=1.2), 0)
    x, y = torch.from_numpy(images).double(), torch.zeros(COUNT, dtype=torch.int64)
    plain = Network(network)
    point = x + F.normalize(torch.ones(1, SIZE).double()).view(1, *SHAPE)
    with torch.no_grad():
        assert (lead(network(point), y) < 0).all()
        walked = walk(plain, Found.at(plain, x, y), point, 100)
    assert float((1 / torch.from_numpy(known)).mean()) > 2
    np.testing.assert_allclose(walked.distance, known, rtol=0.01)
    assert (lead(network(walked.nearest), y) < 0).all()


@pytest.mark.parametrize("halvings", [1, 4, 12])
def test_halving_ends_within_its_resolution_of_the_boundary(halvings: int) -> None:
    network = planes.random_planes(SHAPE, 2, scale=10).double()
    x = torch.from_numpy(planes.images(SHAPE, 60)).double()
    y = network(x).argmax(dim=1)
    known = torch.from_numpy(planes.nearest(network, x.numpy(), y.numpy()))
    x, y, known = x[known > 0.01], y[known > 0.01], known[known > 0.01]
    way = (network.weight[1 - y] - network.weight[y]).view_as(x).detach()
    way *= (known / 0.97 / way.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)  # 3 % beyond
    with torch.no_grad():
        found = approach(Network(network, lanes=7), x, y, x + way, halvings)
    length = (found - x).flatten(1).norm(dim=1)
    assert (lead(network(found), y) < 0).all()
    assert (length >= known).all()
    assert float((length / known).max()) <= 1 + (1 - LAST) / 0.97 / 2**halvings + 1e-3


def test_halving_leaves_what_is_not_misclassified_where_it_is() -> None:
    network = planes.random_planes(SHAPE, 2, scale=10)
    x = torch.from_numpy(planes.images(SHAPE, 20))
    y = network(x).argmax(dim=1)
    with torch.no_grad():
        assert torch.equal(approach(Network(network), x, y, x, 5), x)
        beyond = x + 1e-6
        assert torch.equal(approach(Network(network), x, y, beyond, 0), beyond)
        short = torch.from_numpy(planes.nearest(network, x.numpy(), y.numpy()) > 0.01)
        assert torch.equal(approach(Network(network), x, y, beyond, 5)[short], beyond[short])


def test_warm_started_descents_still_go_as_far_as_confidence_asks() -> None:
    network = planes.regular_planes(SHAPE, 3, scale=10)
    x = planes.images(SHAPE, 60)
    y = planes.labels(network, x)
    keep = planes.nearest(network, x, y) > 0.08
    x, y = x[keep], y[keep]
    budget = CarliniWagner(confidence=1.0, warm_start=True, bisections=6)
    attacked = budget.build(wrap(network, SHAPE, 3)).generate(x, y)
    scores = planes.logits(network, attacked)
    own = scores[np.arange(len(x)), y].copy()
    scores[np.arange(len(x)), y] = -np.inf
    assert (scores.max(axis=1) - own >= 1.0).all()
    assert np.median(scores.max(axis=1) - own) < 1.1


def test_two_walks_are_no_longer_than_one(reader: Reader) -> None:
    lengths = [
        reader.distances(attack.build(reader.estimator()).generate(reader.x, reader.y))
        for attack in (BoundaryWalk(), BoundaryWalk(ddn_steps=0))
    ]
    assert (lengths[0] <= lengths[1] * (1 + 1e-5)).all()
    assert (lengths[0] < 0.98 * lengths[1]).any()


@pytest.mark.parametrize(("least", "passes"), [(1e-3, 3), (1e-7, 9)])
def test_deepfool_takes_no_success_that_rounding_could_undo(least: float, passes: int) -> None:
    """A lead that falls no lower than `-least`: beyond the boundary all is flat."""
    seen = 0

    def logits(x: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        leading = (10 * (x.flatten(1).mean(dim=1) - 0.4)).clamp_min(-least)
        return torch.stack([1 + leading, torch.ones(len(x))], dim=1)

    x = torch.full((1, *SHAPE), 0.5)
    deepfool(Network(logits), x, steps=4, candidates=2, overshoot=0.02)
    assert seen == passes
