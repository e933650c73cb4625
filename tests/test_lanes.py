"""Images attacked side by side get what each gets alone, at the price that each has alone."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

import planes
from readers import Reader
from robench_attacks.cw import CarliniWagner, carlini_wagner
from robench_attacks.ddn import DDN, ddn
from robench_attacks.deepfool import deepfool
from robench_attacks.lanes import Lanes, drive
from robench_attacks.network import Network
from robench_attacks.walk import BoundaryWalk, boundary_walk

SHAPE = (3, 4, 4)


@dataclass
class Countdown(Lanes):
    """Images that take so many moves each."""

    left: Tensor
    moves: Tensor


class Job:
    """Moves images until each has had its share, and notes who was there."""

    def __init__(self, lengths: list[int]) -> None:
        """Take the moves each image needs."""
        self.lengths = torch.tensor(lengths, dtype=torch.int64)
        self.widths: list[int] = []
        self.started: list[int] = []
        self.finished: dict[int, int] = {}

    def start(self, rows: Tensor) -> Countdown:
        """Begin images."""
        self.started += rows.tolist()
        return Countdown(rows, self.lengths[rows], torch.zeros_like(rows))

    def advance(self, lanes: Countdown) -> Tensor:
        """Move all."""
        self.widths.append(len(lanes))
        lanes.left, lanes.moves = lanes.left - 1, lanes.moves + 1
        return (lanes.left == 0).nonzero().squeeze(1)

    def finish(self, lanes: Countdown) -> None:
        """Note what became of the images."""
        for row, moves in zip(lanes.row.tolist(), lanes.moves.tolist(), strict=True):
            assert row not in self.finished
            self.finished[row] = moves


RAGGED = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]


@pytest.mark.parametrize("width", [1, 2, 4, 11, 100])
@pytest.mark.parametrize("lengths", [[], [1], [7] * 5, RAGGED, RAGGED[::-1]])
def test_every_image_gets_its_moves_and_no_more(lengths: list[int], width: int) -> None:
    job = Job(lengths)
    drive(torch.arange(len(lengths)), width, job.start, job.advance, job.finish)
    assert job.finished == dict(enumerate(lengths))
    assert job.started == list(range(len(lengths)))
    assert sum(job.widths) == sum(lengths)
    assert max(job.widths, default=0) <= width


def test_lanes_are_full_while_images_wait() -> None:
    job = Job(RAGGED)
    drive(torch.arange(len(RAGGED)), 4, job.start, job.advance, job.finish)
    waiting = sum(RAGGED[4:])
    full = [width for width in job.widths if width == 4]
    assert job.widths == sorted(job.widths, reverse=True)  # it shrinks in the end alone
    assert 4 * len(full) >= waiting


def test_put_writes_no_tensor_in_place() -> None:
    first = torch.arange(4)
    lanes = Countdown(torch.arange(4), first, first)
    lanes.put(torch.tensor([1, 3]), Countdown(torch.tensor([7, 8]), *torch.zeros(2, 2).long()))
    assert lanes.row.tolist() == [0, 7, 2, 8]
    assert lanes.left.tolist() == [0, 0, 2, 0]
    assert first.tolist() == [0, 1, 2, 3]


STRONG = CarliniWagner(searches=2, steps=10, warm_start=True, bisections=3)
ATTACKS: dict[str, Callable[[Network, Tensor, Tensor], Tensor]] = {
    "cw": lambda f, x, y: carlini_wagner(f, x, y, CarliniWagner(0, 0.05, 4, 10)),
    "cw, warm": lambda f, x, y: carlini_wagner(f, x, y, STRONG),
    "deepfool": lambda f, x, y: deepfool(f, x, steps=50, candidates=3, overshoot=0.02),
    "ddn": lambda f, x, y: ddn(f, x, y, DDN(steps=15)).nearest,
    "walk": lambda f, x, y: boundary_walk(f, x, y, BoundaryWalk(steps=5, ddn_steps=5)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_results_do_not_depend_on_the_lanes(name: str, reader: Reader) -> None:
    """In float64, where rounding that hangs on the batch is too small to be seen."""
    x, y = reader.tensors()
    x, y = x[:7].double(), y[:7]
    network = reader.doubled()
    with torch.no_grad():
        expected = ATTACKS[name](Network(network, lanes=7), x, y)
        assert not torch.equal(expected, x)
        for lanes in (1, 3, 100):
            found = ATTACKS[name](Network(network, lanes=lanes), x, y)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
        found = ATTACKS[name](Network(network, lanes=3), x.flip(0), y.flip(0))
        torch.testing.assert_close(found, expected.flip(0), rtol=0, atol=1e-7)


class Reshaping(nn.Module):
    """A linear network that cannot reshape no images at all, like many."""

    def __init__(self) -> None:
        super().__init__()
        self.planes = planes.random_planes(SHAPE, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, 3)."""
        logits: Tensor = self.planes(x.view(len(x), -1))
        return logits


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("name", ATTACKS)
def test_where_nothing_is_to_be_done_no_empty_batch_is_predicted(
    name: str, approximate: bool
) -> None:
    network = Reshaping()
    x = torch.from_numpy(planes.images(SHAPE, 5))
    with torch.no_grad():
        wrong = (network(x).argmax(dim=1) + 1) % 3
        found = ATTACKS[name](Network(network, network if approximate else None), x, wrong)
    assert name == "deepfool" or torch.equal(found, x)
