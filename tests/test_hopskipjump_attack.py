"""HopSkipJump against closed forms, on networks that show nothing but labels."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from art.attacks.evasion import HopSkipJump as ArtHopSkipJump
from numpy.typing import NDArray
from torch import Tensor, nn

import planes
from readers import CLASSES, Reader
from readers import SHAPE as SHOWN
from robench.attacking import reproducible
from robench.engine import rehearse
from robench.errors import UserError
from robench.estimator import wrap
from robench_attacks.draws import Draws
from robench_attacks.hops import HALVINGS, SHORTENINGS, Hops
from robench_attacks.hopskipjump import HopSkipJump, hop_skip_jump
from robench_attacks.network import Network
from robench_attacks.walk import BoundaryWalk

SHAPE = (3, 4, 4)
Images = NDArray[np.float32]


@pytest.fixture(scope="module")
def flat() -> planes.Planes:
    return planes.regular_planes(SHAPE, 4, scale=10.0)


@pytest.fixture(scope="module")
def shown() -> Images:
    return planes.images(SHAPE, 12)


class Through(nn.Module):
    """A network behind something else, that remembers how many images it was asked for."""

    def __init__(self, network: nn.Module, before: Any = None, after: Any = None) -> None:
        super().__init__()
        self.network, self.before, self.after = network, before, after
        self.asked = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        self.asked += len(x)
        logits: Tensor = self.network(self.before(x) if self.before else x)
        return self.after(logits) if self.after else logits


def attacked(
    network: nn.Module, x: Images, y: NDArray[np.int64], *, lanes: int = 64, **settings: Any
) -> Images:
    """Return what the attack makes of float32 images, from torch's seed 0."""
    with reproducible(), torch.no_grad():
        images, labels = torch.from_numpy(x), torch.from_numpy(y)
        found = hop_skip_jump(
            Network(network, lanes=lanes), images, labels, HopSkipJump(**settings)
        )
    return found.numpy()


def far(found: Images, x: Images) -> NDArray[np.float64]:
    moved = (found.astype(np.float64) - x).reshape(len(x), -1)
    return np.sqrt(np.square(moved).sum(axis=1))


def test_it_finds_the_nearest_plane(flat: planes.Planes, shown: Images) -> None:
    y = planes.labels(flat, shown)
    shares = []
    for queries in (300, 1000, 5000):
        found = attacked(flat, shown, y, queries=queries)
        assert (planes.labels(flat, found) != y).all()
        share = far(found, shown) / planes.nearest(flat, shown, y)
        assert share.min() > 1 - 1e-5
        shares.append(float(np.median(share)))
    assert shares[2] < 1.01
    assert shares[1] < 1.1
    assert shares[2] < shares[1] < shares[0]


def test_the_normal_is_that_of_the_plane(flat: planes.Planes, shown: Images) -> None:
    network, x = Network(flat), torch.from_numpy(shown)
    y = torch.from_numpy(planes.labels(flat, shown))
    with reproducible(), torch.no_grad():
        draws = Draws(x)
        hops = Hops.from_starts(network, x, y, draws, 100_000, 10)
        rival = flat(hops.point).argmax(dim=1)
        normal = hops.normal(network, draws, 10_000)
    true = (flat.weight[rival] - flat.weight[hops.y]).detach()
    alike = torch.cosine_similarity(normal.flatten(1), true)
    assert float(alike.median()) > 0.97  # at corners of two planes it is neither's
    torch.testing.assert_close(normal.flatten(1).norm(dim=1), torch.ones(len(x)))
    assert (hops.spare == hops.left - SHORTENINGS - HALVINGS).all()


def test_labels_are_all_that_it_looks_at(flat: planes.Planes, shown: Images) -> None:
    y = planes.labels(flat, shown)
    expected = attacked(flat, shown, y, queries=400)

    def label_alone(logits: Tensor) -> Tensor:
        return nn.functional.one_hot(logits.argmax(dim=1), 4).float()

    for after in (label_alone, lambda logits: 1e-30 * label_alone(logits)):
        assert np.array_equal(attacked(Through(flat, after=after), shown, y, queries=400), expected)


def test_quantised_images_hide_gradients_but_not_the_boundary(
    flat: planes.Planes, shown: Images
) -> None:
    shades = 63
    x: Images = (np.round(shown * shades) / shades).astype(np.float32)
    y = planes.labels(flat, x)
    network = Through(flat, before=lambda x: (x * shades).round() / shades)
    with reproducible(), torch.no_grad():
        images, labels = torch.from_numpy(x), torch.from_numpy(y)
        blind = BoundaryWalk().perturb(Network(network), images, labels)
    assert torch.equal(blind, images)
    found = attacked(network, x, y, queries=3000)
    with torch.no_grad():
        assert (network(torch.from_numpy(found)).argmax(dim=1).numpy() != y).all()
    share = far(found, x) / planes.nearest(flat, x, y)
    assert np.median(share) < 1.4


@pytest.mark.parametrize("queries", [1, HALVINGS, HALVINGS + 1, 60, 400, 1001])
def test_no_more_is_asked_than_allowed_and_little_less(
    queries: int, flat: planes.Planes, shown: Images
) -> None:
    y = planes.labels(flat, shown)
    for i in range(4):
        heard = Through(flat)
        attacked(heard, shown[i : i + 1], y[i : i + 1], queries=queries, starts=20)
        made = heard.asked - 1  # the image itself
        assert queries - 10 - SHORTENINGS - HALVINGS < made <= queries


def test_where_all_is_one_class_the_image_comes_back(shown: Images) -> None:
    constant = Through(planes.Planes(torch.zeros(3, 48), torch.tensor([1.0, 0.0, 0.0])))
    y = np.zeros(len(shown), dtype=np.int64)
    assert np.array_equal(attacked(constant, shown, y, queries=100, starts=5), shown)
    assert constant.asked == len(shown) * (1 + 100 - HALVINGS)


def test_it_begins_where_noise_is_always_of_one_class() -> None:
    """Bright images alone are misclassified; noise pixel by pixel is grey."""
    weight = torch.stack((torch.zeros(192), torch.ones(192)))
    bright = planes.Planes(weight, torch.tensor([0.0, -0.8 * 192]))
    x = planes.images((3, 8, 8), 6)
    y = np.zeros(len(x), dtype=np.int64)
    found = attacked(bright, x, y, queries=4000)
    assert (planes.labels(bright, found) != y).all()
    share = far(found, x) / planes.nearest(bright, x, y)
    assert 1 - 1e-5 < share.min() <= share.max() < 1.1


def test_images_misread_already_come_back_as_they_are(reader: Reader) -> None:
    wrong = (reader.y + 1) % CLASSES
    built = HopSkipJump(queries=50).build(reader.estimator())
    assert np.array_equal(built.generate(reader.x, wrong), reader.x)
    assert np.array_equal(built.generate(reader.x[:0], wrong[:0]), reader.x[:0])


def test_neither_neighbours_nor_batches_change_an_image(flat: planes.Planes, shown: Images) -> None:
    y = planes.labels(flat, shown)
    y[3] = (y[3] + 1) % 4  # one that is misread already
    expected = attacked(flat, shown, y, queries=300)
    for lanes in (1, 5):
        assert np.array_equal(attacked(flat, shown, y, queries=300, lanes=lanes), expected)
    backwards = attacked(flat, shown[::-1].copy(), y[::-1].copy(), queries=300)
    assert np.array_equal(backwards[::-1], expected)
    assert np.array_equal(attacked(flat, shown[2:5], y[2:5], queries=300), expected[2:5])


def test_the_seed_decides(flat: planes.Planes, shown: Images) -> None:
    network, x = Network(flat), torch.from_numpy(shown)
    y = torch.from_numpy(planes.labels(flat, shown))

    def made(seed: int) -> Tensor:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            return hop_skip_jump(network, x, y, HopSkipJump(queries=100))

    assert torch.equal(made(1), made(1))
    assert not torch.equal(made(1), made(2))
    state = torch.get_rng_state()
    made(3)
    assert torch.equal(torch.get_rng_state(), state)


def test_it_stays_in_the_box(reader: Reader) -> None:
    x: Images = np.round(reader.x[:20])
    with reproducible():
        found = HopSkipJump(queries=300).build(reader.estimator()).generate(x)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    predicted = [reader.estimator().predict(images).argmax(axis=1) for images in (x, found)]
    assert (predicted[0] != predicted[1]).all()


def test_it_is_nearer_than_arts_at_the_same_number_of_queries(reader: Reader) -> None:
    network = Through(reader.network, before=lambda x: x.float())  # ART's asks in float64
    x, y = reader.x[:10], reader.y[:10]
    estimator = wrap(network.eval(), SHOWN, CLASSES)
    with reproducible():
        start = np.random.default_rng(0).random((len(x), *SHOWN)).astype(np.float32)
        fooling = reader.estimator().predict(start).argmax(axis=1) != y
        built = ArtHopSkipJump(estimator, norm=2, max_iter=8, batch_size=256, verbose=False)
        theirs = built.generate(x, y, x_adv_init=start)
    queries = int(network.asked / len(x))
    with reproducible():
        ours = HopSkipJump(queries=queries).build(reader.estimator()).generate(x, y)
    assert 1000 < queries < 3000
    assert fooling.sum() > 5
    assert reader.fooled(np.concatenate((ours, reader.x[10:])))[:10].all()
    assert np.median(far(ours, x)) < np.median(far(theirs, x))


@pytest.mark.parametrize(("setting", "value"), [("queries", 0), ("starts", 0), ("directions", 9)])
def test_settings_without_sense_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"HopSkipJump: {setting}={value} must be at least"):
        replace(HopSkipJump(), **{setting: value})


def test_what_it_cannot_attack_or_be_made_by_is_refused() -> None:
    vector = wrap(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), (1, 2, 2), 3)
    vector._input_shape = (4,)
    with pytest.raises(UserError, match=r"needs images \(channels, height, width\), not of shape"):
        HopSkipJump().build(vector)
    with pytest.raises(UserError, match="--engine art: ART's HopSkipJump starts from images that"):
        rehearse("hopskipjump", HopSkipJump())
