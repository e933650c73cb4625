"""Square against its description, pixel by pixel, and on networks whose gradients say nothing."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import planes
from readers import CLASSES, Reader
from readers import SHAPE as SHOWN
from robench.attacking import reproducible
from robench.benchmarking.passes import Counted, Tally
from robench.engine import rehearse
from robench.errors import UserError
from robench.estimator import wrap
from robench_attacks.apgd import APGD
from robench_attacks.network import Network, lead
from robench_attacks.square import Square, redrawn, sides, square, tiled
from robench_attacks.windows import Windows, bumps

SHAPE = (3, 12, 12)
Array = NDArray[np.float64]


def bump_by_hand(height: int, width: int) -> Array:
    """Return ever larger rectangles around the middle, of ever less weight, laid on each other.

    To L2 norm 1, as the authors do it for each half.
    """
    found = np.zeros((height, width))
    for grown in range(max(height, width) // 2 + 1):
        for row in range(height):
            for column in range(width):
                if max(abs(row - height // 2), abs(column - width // 2)) <= grown:
                    found[row, column] += 1 / (grown + 1) ** 2
    return found / np.sqrt((found**2).sum())


@pytest.mark.parametrize("side", [2, 3, 5, 6, 9, 28])
def test_the_pattern_is_the_authors(side: int) -> None:
    along = torch.arange(side)
    found = bumps(along.view(1, -1, 1), along.view(1, 1, -1), torch.tensor([side]))
    half = side // 2
    halves = np.vstack([bump_by_hand(half, side), -bump_by_hand(side - half, side)])
    expected = halves / np.sqrt((halves**2).sum())  # and for both once more
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-12)


def test_the_pattern_has_norm_1_whatever_the_window() -> None:
    side = torch.tensor([1, 2, 3, 4, 7, 28])
    along = torch.arange(28)
    found = bumps(along.view(1, -1, 1), along.view(1, 1, -1), side)
    lengths = found.square().sum(dim=(1, 2)).sqrt()
    torch.testing.assert_close(lengths, torch.ones(6, dtype=torch.float64), rtol=1e-12, atol=0)
    assert float(found[0, 0, 0]) == -1  # of one pixel: the lower bump alone


def test_windows_lie_anywhere_inside_and_hold_the_pattern() -> None:
    torch.manual_seed(0)
    side = torch.tensor([3, 5, 7, 8, 1]).repeat(400)
    windows = Windows.drawn(side, 8, 9)
    turned = (torch.arange(len(side)) % 2 == 0).view(-1, 1, 1)
    values, mask = windows.bumps(turned), windows.mask
    assert torch.equal(mask.sum(dim=(1, 2)), side**2)
    assert (values[mask] != 0).all()
    assert (values[~mask] == 0).all()
    for size, row in ((3, 0), (5, 1), (8, 3)):
        corners = torch.stack((windows.down[:, 0, 0], windows.across[:, 0, 0]), dim=1)
        places = {tuple(corner) for corner in (-corners[side == size]).tolist()}
        assert places == {(i, j) for i in range(9 - size) for j in range(10 - size)}
        along = torch.arange(size)
        alone = bumps(along.view(1, -1, 1), along.view(1, 1, -1), torch.tensor([size]))[0]
        inside = values[row][mask[row]].view(size, size)
        torch.testing.assert_close(inside, alone.T if bool(turned[row]) else alone)


def test_the_sides_follow_the_published_schedule() -> None:
    found = sides(Square(queries=10000, share=0.8), 32, 32).tolist()
    starts = [0, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001]
    for power, (start, end) in enumerate(zip(starts, [*starts[1:], 10000], strict=True)):
        side = max(round(math.sqrt(0.8 / 2**power * 1024)), 3)
        assert set(found[start:end]) == {side + (side % 2 == 0)}
    assert set(sides(Square(queries=3, share=1.0), 4, 6).tolist()) <= {3, 4}
    assert sides(Square(queries=1), 1, 2).tolist() == [1]


@pytest.mark.parametrize("shape", [(3, 12, 12), (1, 8, 8), (2, 32, 27), (1, 2, 2), (3, 1, 4)])
def test_the_first_point_is_as_far_away_as_allowed(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    x = torch.full((50, *shape), 0.5, dtype=torch.float64)
    change = tiled(x, 0.3) - x
    lengths = change.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 0.3))
    side = max(1, min(shape[1:]) // 5)
    rows, columns = (size // side * side for size in shape[1:])
    assert (change != 0).flatten(1).sum(dim=1).tolist() == [shape[0] * rows * columns] * 50
    assert len({tuple(one.tolist()) for one in change.flatten(1).sign()}) > min(
        4, 2 ** (shape[0] * 2)
    )


def test_one_window_is_drawn_anew_one_taken_back_and_no_norm_lost() -> None:
    """Algorithm 3 of the paper for each image and channel, on windows that are known."""
    torch.manual_seed(0)
    count, channels, eps = 30, 3, 0.4
    x = torch.full((count, *SHAPE), 0.5, dtype=torch.float64)
    point = x + 0.01 * torch.randn_like(x)  # norm 0.2: some of eps is unused
    side = torch.tensor([3, 5, 7]).repeat(10)
    torch.manual_seed(1)
    new, old = (redrawn(x, point, eps, side) - x).numpy(), (point - x).numpy()
    torch.manual_seed(1)
    seen = [Windows.drawn(side, *SHAPE[1:]) for _ in range(2)]
    masks = [windows.mask.numpy() for windows in seen]
    turns = [seen[0].bumps(torch.full((count, 1, 1), turned)).numpy() for turned in (False, True)]
    np.testing.assert_allclose(np.sqrt((new**2).sum(axis=(1, 2, 3))), eps, rtol=1e-12)
    fitting = np.zeros((count, channels, 4), dtype=bool)
    for i in range(count):
        first, other = masks[0][i], masks[1][i]
        unused = (eps**2 - (old[i] ** 2).sum()) / channels
        for c in range(channels):
            outside = ~first & ~other
            np.testing.assert_allclose(new[i, c][outside], old[i, c][outside], atol=1e-15)
            assert np.abs(new[i, c][other & ~first]).max(initial=0) < 1e-15
            length = math.sqrt((old[i, c][first | other] ** 2).sum() + unused)
            before = old[i, c][first] / np.linalg.norm(old[i, c][first])
            for k, pattern in enumerate([*turns, *(-turn for turn in turns)]):
                fresh = pattern[i][first] + before
                fresh *= length / np.linalg.norm(fresh)
                fitting[i, c, k] = np.allclose(new[i, c][first], fresh, atol=1e-12)
    assert (fitting.sum(axis=2) == 1).all()  # one turn and sign accounts for each channel
    turned = fitting.argmax(axis=2) % 2
    assert (turned == turned[:, :1]).all()  # channels share the turn, not the sign
    assert fitting.any(axis=(0, 1)).all()


class Heard(nn.Module):
    """A network that remembers what it was asked, one image at a time."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        self.asked.append(x.detach().clone())
        logits: Tensor = self.network(x)
        return logits


@pytest.mark.parametrize("queries", [1, 2, 60])
def test_what_comes_back_is_the_best_of_what_was_asked(queries: int) -> None:
    network = planes.random_planes(SHAPE, 3, scale=0.01)
    network.double()
    network.bias.data[0] += 1e3  # out of reach
    heard, y = Heard(network), torch.zeros(1).long()
    x = torch.from_numpy(planes.images(SHAPE, 1)).double()
    torch.manual_seed(0)
    with torch.no_grad():
        found = square(Network(heard), x, y, Square(queries=queries))
        points = torch.cat(heard.asked[1:])  # the image itself comes first
        leads = lead(network(points), y.expand(len(points)))
    assert len(points) == queries
    assert torch.equal(found[0], points[leads.argmin()])
    assert ((points - x).flatten(1).norm(dim=1) <= 0.5 * (1 + 1e-9)).all()
    if queries > 50:
        weight = network.weight.detach()
        assert leads[0] - leads.min() > 0.05 * (weight[0] - weight[1:]).norm(dim=1).max()


def attacked(budget: Square, reader: Reader, network: nn.Module | None = None) -> Any:
    with reproducible():
        estimator = wrap(network or reader.network, SHOWN, CLASSES)
        return budget.build(estimator).generate(reader.x, reader.y)


@pytest.fixture(scope="module")
def found(reader: Reader) -> NDArray[np.float32]:
    result: NDArray[np.float32] = attacked(Square(eps=0.8, queries=400), reader)
    return result


def test_it_fools_within_box_and_radius(found: NDArray[np.float32], reader: Reader) -> None:
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert reader.distances(found).max() <= 0.8 * (1 + 1e-6)
    with reproducible():
        built = APGD(eps=0.8, steps=40).build(reader.estimator())
        strong = int(reader.fooled(built.generate(reader.x, reader.y)).sum())
    assert 0.5 * strong < int(reader.fooled(found).sum()) <= strong + 2


def test_the_same_seed_gives_the_same_images(found: NDArray[np.float32], reader: Reader) -> None:
    assert np.array_equal(attacked(Square(eps=0.8, queries=400), reader), found)
    torch.manual_seed(1)
    other = Square(eps=0.8, queries=400).build(reader.estimator()).generate(reader.x, reader.y)
    assert not np.array_equal(other, found)


def test_more_queries_and_more_room_fool_more(found: NDArray[np.float32], reader: Reader) -> None:
    budgets = [Square(eps=0.8, queries=1), Square(eps=0.8, queries=40)]
    counts = [int(reader.fooled(attacked(budget, reader)).sum()) for budget in budgets]
    counts.append(int(reader.fooled(found).sum()))
    assert counts[0] + 5 < counts[1] < counts[2] - 5
    near = attacked(Square(eps=0.4, queries=400), reader)
    assert int(reader.fooled(near).sum()) < counts[2] - 5


def test_an_image_that_is_fooled_is_asked_for_no_more(reader: Reader) -> None:
    tally = Tally()
    counted = Counted(reader.network, tally).eval()
    budget = Square(eps=0.8, queries=100)
    fooled = reader.fooled(attacked(budget, reader, counted))
    assert tally.samples["backward", "float32"] == 0
    passes, count = tally.samples["forward", "float32"], len(reader.x)
    room = 2  # the pass that sizes the batch, and none besides
    assert int((~fooled).sum()) * 101 < passes < count * 101 + room
    assert passes < 101 * (int((~fooled).sum()) + 0.5 * int(fooled.sum()))


def test_images_misread_already_come_back_as_they_are(reader: Reader) -> None:
    wrong = (reader.y + 1) % CLASSES
    built = Square(queries=5).build(reader.estimator())
    assert np.array_equal(built.generate(reader.x, wrong), reader.x)
    assert np.array_equal(built.generate(reader.x[:0], wrong[:0]), reader.x[:0])


def test_it_fools_a_network_whose_gradients_are_zero(reader: Reader) -> None:
    """Rounding to 32 shades hides every gradient; scores see through it."""

    class Rounding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = reader.network((x * 31).round() / 31)
            return logits

    network = Rounding().eval()
    estimator = wrap(network, SHOWN, CLASSES)
    standing = estimator.predict(reader.x).argmax(axis=1) == reader.y

    def count(images: NDArray[np.float32]) -> int:
        return int((standing & (estimator.predict(images).argmax(axis=1) != reader.y)).sum())

    with reproducible():
        blind = APGD(eps=0.8, steps=40).build(estimator).generate(reader.x, reader.y)
    seeing = count(attacked(Square(eps=0.8, queries=400), reader, network))
    assert seeing > count(blind) + 0.2 * len(reader.x)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("eps", 0.0), ("eps", float("nan")), ("queries", 0), ("share", 0.0), ("share", 1.1)],
)
def test_settings_without_sense_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"Square: {setting}="):
        replace(Square(), **{setting: value})


def test_what_it_cannot_attack_or_be_made_by_is_refused() -> None:
    flat = wrap(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), (1, 2, 2), 3)
    flat._input_shape = (4,)
    with pytest.raises(UserError, match=r"needs images \(channels, height, width\), not of shape"):
        Square().build(flat)
    with pytest.raises(UserError, match="--engine art: ART's Square in L2 draws from a generator"):
        rehearse("square", Square())
