"""The descents of C&W: when they are checked, when given up, which constants they try."""

from dataclasses import replace

import pytest
import torch

from readers import Reader
from robench.benchmarking.passes import Counted, Tally
from robench_attacks.constants import LEAST, UNBOUNDED, Begin, Searches
from robench_attacks.cw import CarliniWagner
from robench_attacks.descent import from_tanh, stretch, to_tanh
from robench_attacks.network import Network


def test_a_stretch_divides_the_steps_and_is_no_shorter_than_ten() -> None:
    for steps in range(1, 301):
        length = stretch(steps)
        assert steps % length == 0
        assert length >= min(steps, max(10, steps / 10))
        shorter = [n for n in range(1, length) if steps % n == 0 and n >= max(10, steps / 10)]
        assert shorter == []  # the shortest of such


@pytest.mark.parametrize(
    ("steps", "length"), [(1, 1), (7, 7), (10, 10), (20, 10), (100, 10), (1000, 100), (97, 97)]
)
def test_stretches_of_usual_budgets(steps: int, length: int) -> None:
    assert stretch(steps) == length


def test_tanh_space_and_back() -> None:
    x = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert torch.isfinite(to_tanh(x)).all()
    torch.testing.assert_close(from_tanh(to_tanh(x)), x, rtol=0, atol=5.1e-7)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_giving_up_loses_little_and_saves_passes(precision: str, reader: Reader) -> None:
    found, passes = {}, {}
    budget = CarliniWagner(learning_rate=0.02, searches=4)
    for abort in (True, False):
        tally = Tally()
        counted = Reader(Counted(reader.network, tally).eval(), reader.x[:20], reader.y[:20])
        estimator = counted.estimator("bf16" if precision == "bf16" else "float32")
        attacked = (
            replace(budget, abort_early=abort).build(estimator).generate(counted.x, counted.y)
        )
        assert counted.fooled(attacked).all()
        found[abort] = counted.distances(attacked).mean()
        passes[abort] = tally.samples["backward", precision]
    assert found[True] < 1.005 * found[False]
    assert passes[False] == 20 * budget.searches * budget.steps
    assert passes[True] < 0.85 * passes[False]


def searched(searches: int, successes: list[bool]) -> list[float]:
    """Return the constants that one image tries, given what becomes of each."""
    x = torch.full((1, 1, 2, 2), 0.5)
    one = torch.ones(1)
    network = Network(lambda x: torch.zeros(len(x), 2))
    begin = Begin(torch.zeros(1).long(), x, torch.zeros(1).long(), x, one * torch.inf, one)
    lanes, tried = Searches.at(network, begin, 0.0), []
    for number, success in enumerate(successes):
        tried.append(float(lanes.constant))
        lanes.distance = one * (1.0 if success else torch.inf)
        over = lanes.settle(torch.tensor([0]), network, searches, 0.0)
        assert len(over) == (number == searches - 1)
    return tried


def test_the_last_of_many_searches_tries_the_least_constant_that_sufficed() -> None:
    successes = [False, True, *[False] * (LEAST - 2)]
    tried = searched(LEAST, successes)
    assert tried[:4] == pytest.approx([1, 10, 5.5, 7.75])
    assert tried[-1] == 10
    assert searched(LEAST - 1, successes[:-1]) == pytest.approx(tried[:-1])
    assert searched(LEAST, [False] * LEAST)[-1] == UNBOUNDED


def test_the_nearest_of_all_descents_is_kept() -> None:
    x = torch.full((2, 1, 2, 2), 0.5)
    network, y, row = (
        Network(lambda x: torch.zeros(len(x), 2)),
        torch.zeros(2).long(),
        torch.arange(2),
    )
    known = torch.tensor([0.04, torch.inf])
    lanes = Searches.at(network, Begin(row, x, y, x + 0.1, known, torch.ones(2)), 0.0)
    assert torch.equal(lanes.best, torch.stack([x[0] + 0.1, x[1]]))
    for distance, mark in ((0.09, 0.8), (0.01, 0.6), (torch.inf, 0.9), (0.02, 0.7)):
        lanes.distance, lanes.nearest = torch.full((2,), distance), torch.full_like(x, mark)
        lanes.settle(row, network, 9, 0.0)
    assert lanes.shortest.tolist() == pytest.approx([0.01, 0.01])
    assert torch.equal(lanes.best, torch.full_like(x, 0.6))
