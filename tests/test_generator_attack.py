"""The generator of the defense as an attack: along its direction, and searching through it."""

from typing import Any

import numpy as np
import pytest
import torch
from art.attacks import EvasionAttack
from numpy.typing import NDArray
from torch import Tensor, nn

import planes
from robench.defense import Defense
from robench.errors import UserError
from robench.estimator import wrap
from robench_attacks.device import DeviceAttack
from robench_attacks.generator import Generator, Through
from robench_attacks.network import Network
from robench_attacks.ray import nearest_on_ray
from robench_defenses.ablation import PGNAblation
from robench_defenses.baseline import Baseline
from robench_defenses.fgm import FGM
from robench_defenses.pgd import PGD
from robench_defenses.pgn import PGN

Images = NDArray[np.float32]
Labels = NDArray[np.int64]
Distances = NDArray[np.float64]
SHAPE, CLASSES, SIZE = (3, 4, 4), 3, 48
NETWORK = planes.regular_planes(SHAPE, CLASSES, scale=10)
REACH = 0.12
"""How far the pixels of the images shown may move before the box could matter."""


class Along(nn.Module):
    """A generator whose adversarial image is `x + way`, whatever else it is shown."""

    def __init__(self, way: Tensor) -> None:
        super().__init__()
        self.way = nn.Parameter(way)

    def forward(self, gradient: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the perturbation in tanh space."""
        aim, start = ((2 * at.double() - 1) * 0.999999 for at in (x + self.way, x))
        return torch.atanh(aim) - torch.atanh(start)


class Shuffled(nn.Module):
    """A generator that goes down the gradient image, its pixels in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.order = torch.randperm(SIZE, generator=torch.Generator().manual_seed(2))

    def forward(self, gradient: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the perturbation in tanh space."""
        return -2 * gradient.flatten(1)[:, self.order].view_as(x)


def direction() -> Tensor:
    """Return the unit vector from class 0 to between the others, turned a little."""
    generator = torch.Generator().manual_seed(5)
    weight = NETWORK.weight.detach()
    way = weight[1] + 0.7 * weight[2] - weight[0]
    way = way / way.norm() + 0.1 * torch.randn(SIZE, generator=generator)
    return (way / way.norm()).view(SHAPE)


def along(way: Tensor, x: Images, y: Labels) -> Distances:
    """Return how far the boundary is in the direction `way`: least of lead / slope over rivals."""
    weight = NETWORK.weight.detach().double().numpy()
    scores = planes.logits(NETWORK, x)
    gap = scores[np.arange(len(x)), y, None] - scores
    closing = (weight[None] - weight[y][:, None]) @ way.double().flatten().numpy()
    steps = np.divide(gap, closing, out=np.full_like(gap, np.inf), where=closing > 0)
    steps[np.arange(len(x)), y] = np.inf
    distance: Distances = steps.min(axis=1)
    return distance


def shown() -> tuple[Images, Labels]:
    """Return images of class 0 that `direction` leads over the boundary within the box."""
    x = planes.images(SHAPE, 400)
    y = planes.labels(NETWORK, x)
    far = along(direction(), x, y)
    keep = (y == 0) & (far > 0.03) & (far * float(direction().abs().max()) < REACH)
    assert keep.sum() >= 10
    return x[keep], y[keep]


def aimed(generator: nn.Module, batch: int = 8, **settings: Any) -> DeviceAttack:
    """Return the attack through a generator of the test's own, on the planes."""
    through = Through(Generator(**settings), PGN(), generator, batch)
    return DeviceAttack(wrap(NETWORK, SHAPE, CLASSES), through)


def distances(attack: DeviceAttack, x: Images, y: Labels) -> Distances:
    """Return how far the attack went, all its images being misclassified."""
    made = attack.generate(x, y)
    assert isinstance(made, np.ndarray)
    assert made.min() >= 0
    assert made.max() <= 1
    found = reached(attack, x, y)
    assert np.isfinite(found).all()
    return found


def reached(attack: EvasionAttack, x: Images, y: Labels) -> Distances:
    """Return how far the attack went, infinitely where it failed."""
    made = attack.generate(x, y)
    moved = np.linalg.norm((made.astype(np.float64) - x).reshape(len(x), -1), axis=1)
    length: Distances = np.where(planes.labels(NETWORK, made) != y, moved, np.inf)
    return length


@pytest.mark.parametrize("steps", [0, 5])
@pytest.mark.parametrize("length", [0.01, 0.08, 0.5])
def test_a_constant_direction_is_followed_as_far_as_the_boundary(length: float, steps: int) -> None:
    x, y = shown()
    x, y = (part[np.abs(x - 0.5).reshape(len(x), -1).max(axis=1) < 0.33] for part in (x, y))
    generator = Along(length * direction())
    found = distances(aimed(generator, steps=steps, walk_steps=0), x, y)
    np.testing.assert_allclose(found, along(direction(), x, y), rtol=2e-3)


def test_the_walk_goes_on_to_the_nearest_point() -> None:
    x, y = shown()
    known = planes.nearest(NETWORK, x, y)
    direct = distances(aimed(Along(0.1 * direction()), walk_steps=0), x, y)
    walked = distances(aimed(Along(0.1 * direction())), x, y)
    assert (direct / known).mean() > 1.05
    assert (walked <= direct * (1 + 1e-5)).all()
    assert 0.999 < (walked / known).min() <= (walked / known).mean() < 1.01


@pytest.mark.parametrize("settings", [{}, {"steps": 5}, {"walk_steps": 0}])
def test_where_the_generator_leads_nowhere_the_image_comes_back(settings: dict[str, int]) -> None:
    x, y = shown()
    for way in (-0.1 * direction(), 0 * direction(), torch.nan * direction()):
        assert not np.isfinite(along(-direction(), x, y)).any()
        assert np.array_equal(aimed(Along(way), **settings).generate(x, y), x)


def test_an_image_that_is_misclassified_comes_back_as_it_is() -> None:
    x, y = shown()
    wrong = (y + 1) % CLASSES
    made = aimed(Along(0.1 * direction()), steps=3).generate(x, wrong)
    assert np.array_equal(made, x)


def test_the_search_finds_what_the_generator_alone_misses() -> None:
    x, y = shown()
    known = planes.nearest(NETWORK, x, y)
    attack = aimed(Shuffled(), steps=60, walk_steps=0)
    before = reached(aimed(Shuffled(), walk_steps=0), x, y)
    found = distances(attack, x, y)
    assert (found < 0.5 * before).all()
    assert (found / known).min() > 0.999
    assert (found / known).mean() < 1.1


def test_the_search_goes_through_the_generators_weights_and_leaves_them_alone() -> None:
    x, y = shown()
    torch.manual_seed(0)
    game = PGN(generator_width=0.05)
    generator = game.generator(SHAPE, CLASSES).eval()
    with torch.no_grad():
        generator.mix.weight[:, -2 * SHAPE[0] : -SHAPE[0]] *= 100  # heed the gradient image
    before = [weight.clone() for weight in generator.parameters()]
    estimator = wrap(NETWORK, SHAPE, CLASSES)
    networks = {"generator": generator}
    lengths = [
        reached(Generator(steps=steps, walk_steps=0).aim_at(estimator, game, networks, 8), x, y)
        for steps in (0, 40)
    ]
    assert (lengths[1] <= lengths[0] * (1 + 1e-4)).all()
    assert np.mean(lengths[1] < 0.9 * lengths[0]) > 0.5
    for weight, old in zip(generator.parameters(), before, strict=True):
        assert torch.equal(weight, old)
        assert weight.grad is None
        assert weight.requires_grad


def test_a_generator_blind_to_the_gradient_is_followed_all_the_same() -> None:
    x, y = shown()
    torch.manual_seed(0)
    game = PGNAblation(generator_width=0.05)
    networks = {"generator": game.generator(SHAPE, CLASSES).eval()}
    estimator = wrap(NETWORK, SHAPE, CLASSES)
    lengths = [
        reached(Generator(steps=steps, walk_steps=0).aim_at(estimator, game, networks, 8), x, y)
        for steps in (0, 5)
    ]
    assert np.isfinite(lengths[0]).any()
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=2e-3)


def test_the_gradient_image_has_the_scale_of_the_training_whatever_is_attacked_at_once() -> None:
    x, y = shown()
    image, label = torch.from_numpy(x), torch.from_numpy(y)
    scores = NETWORK(image).detach().double().softmax(dim=1)
    weight = NETWORK.weight.detach().double()
    slope = scores[:, :1] * (weight[0] - scores @ weight)  # of the probability of class 0
    for batch in (4, 16):
        through = Through(Generator(), PGN(), Shuffled(), batch)
        seen = through.game.gradient_image(Network(NETWORK), image, label, batch)
        np.testing.assert_allclose(seen.detach().flatten(1), slope / batch, rtol=1e-4, atol=1e-7)
        built = aimed(Shuffled(), batch, steps=3, walk_steps=0)
        made = []
        for size in (1, 5, None):
            built.set_params(batch_size=size)
            made.append(built.generate(x, y))
        np.testing.assert_allclose(made[0], made[2], atol=1e-5)
        np.testing.assert_allclose(made[1], made[2], atol=1e-5)


@pytest.mark.parametrize(
    ("defense", "fits"),
    [
        (PGN(), True),
        (PGN(preset="paper"), True),
        (PGNAblation(without="label"), True),
        (Baseline(), False),
        (FGM(), False),
        (PGD(), False),
    ],
)
def test_it_suits_what_has_a_generator(defense: Defense, fits: bool) -> None:
    assert Generator().suits(defense) is fits


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": -1}, "steps=-1 must be at least 0"),
        ({"walk_steps": -1}, "walk_steps=-1 must be at least 0"),
        ({"step": 0.0}, "step=0.0 must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=f"Generator: {said}"):
        Generator(**settings)


def test_networks_that_the_defense_did_not_build_are_refused() -> None:
    estimator, game = wrap(NETWORK, SHAPE, CLASSES), PGN(generator_width=0.05)
    wide = PGN(generator_width=0.1).generator(SHAPE, CLASSES)
    for networks in ({}, {"generator": wide}, {"generator": nn.Linear(2, 3)}, {"other": wide}):
        with pytest.raises(UserError, match="PGN builds for 3 classes of images"):
            Generator().aim_at(estimator, game, networks, 8)
    with pytest.raises(UserError, match="not Baseline"):
        Generator().aim_at(estimator, Baseline(), {"generator": wide}, 8)
    with pytest.raises(UserError, match="aim_at"):
        Generator().build(estimator)


@pytest.mark.parametrize("share", [0.3, 1.01, 40.0])
def test_on_a_ray_the_boundary_is_bisected_from_either_side(share: float) -> None:
    x, y = shown()
    known = along(direction(), x, y)
    start, label = torch.from_numpy(x), torch.from_numpy(y)
    way = direction()[None] * torch.from_numpy(share * known).float().view(-1, 1, 1, 1)
    with torch.no_grad():
        found = nearest_on_ray(Network(NETWORK), start, label, way)
    length = (found - start).double().flatten(1).norm(dim=1)
    if share < 40:  # as far as that, the box bends the ray
        np.testing.assert_allclose(length, known, rtol=2e-3)
    assert (planes.labels(NETWORK, found.numpy()) != y).all()
    assert float(length.max()) < 2 * known.max()
