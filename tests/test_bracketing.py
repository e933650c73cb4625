"""The search's rule on curves that are known: how many trainings it takes, and how it ends."""

import itertools
import math
import random
from collections.abc import Callable

import pytest

from robench.bracketing import REACH, Dial, Point, Verdict, propose

Curve = Callable[[float], float]
UP, DOWN = Dial(0.1), Dial(50.0, "down")
TOLERANCE = 0.005
SMOOTH: dict[str, Curve] = {
    "straight": lambda eps: 0.92 - 0.12 * eps,
    "steeper": lambda eps: 0.75 - 0.3 * eps,
    "decaying": lambda eps: 0.1 + 0.8 * math.exp(-eps),
    "levelling off at both ends": lambda eps: 0.1 + 0.82 / (1 + eps**1.5),
    "the same, sooner": lambda eps: 0.1 + 0.65 / (1 + (eps / 0.3) ** 2),
    "root": lambda eps: 0.76 - 0.2 * math.sqrt(eps),
    "logarithm": lambda eps: 0.6 - 0.08 * math.log(eps / 0.1),
}
"""Accuracy against eps."""


def as_price(curve: Curve) -> Curve:
    """Return accuracy against a price, at which 50 is as strong as 0.1 is of eps."""
    return lambda price: curve(5 / price)


def searched(
    curve: Curve, target: float, dial: Dial, *, tolerance: float = TOLERANCE, most: int = 50
) -> tuple[list[Point], Verdict]:
    """Follow the rule on a curve to its verdict; no strength may come twice."""
    tried: list[Point] = []
    while not isinstance(proposed := propose(tried, target, tolerance, dial), Verdict):
        assert proposed > 0
        assert proposed not in [one.strength for one in tried]
        assert len(tried) < most
        tried.append(Point(proposed, curve(proposed)))
    return tried, proposed


def targets(curve: Curve) -> list[float]:
    """Return accuracies from that of eps=0.02 to that of eps=0.8, 40 of them."""
    high, low = curve(0.02), curve(0.8)
    return [low + (high - low) * (share + 0.5) / 40 for share in range(40)]


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dial", [UP, DOWN], ids=["up", "down"])
def test_a_smooth_curve_takes_six_trainings_at_most(name: str, dial: Dial) -> None:
    curve = SMOOTH[name] if dial is UP else as_price(SMOOTH[name])
    counts = []
    for target in targets(SMOOTH[name]):
        tried, verdict = searched(curve, target, dial)
        assert verdict == Verdict("matched", tried[-1])
        assert abs(tried[-1].accuracy - target) <= TOLERANCE + 1e-9
        counts.append(len(tried))
    assert max(counts) <= 6
    assert sum(counts) / len(counts) < 5


@pytest.mark.parametrize(
    "accuracies", [{0.1: 0.9}, {0.1: 0.6}, {0.1: 0.9, 0.4: 0.8}, {0.1: 0.9, 0.4: 0.5}]
)
def test_a_price_is_searched_as_what_it_is_the_inverse_of(accuracies: dict[float, float]) -> None:
    up = propose([Point(eps, a) for eps, a in accuracies.items()], 0.7, TOLERANCE, UP)
    down = propose([Point(5 / eps, a) for eps, a in accuracies.items()], 0.7, TOLERANCE, DOWN)
    assert isinstance(up, float)
    assert isinstance(down, float)
    assert up * down == pytest.approx(5, rel=0.01)


def test_a_cliff_is_found() -> None:
    for target in (0.2, 0.5, 0.8):
        tried, verdict = searched(lambda eps: 0.1 + 0.8 / (1 + (eps / 0.5) ** 12), target, UP)
        assert verdict.how == "matched"
        assert len(tried) <= 12


@pytest.mark.parametrize("spread", [0.002, 0.004])
@pytest.mark.parametrize("name", SMOOTH)
def test_noise_from_run_to_run_costs_little(name: str, spread: float) -> None:
    noise, counts = random.Random(0), []
    for target in targets(SMOOTH[name]):
        tried, verdict = searched(lambda x: SMOOTH[name](x) + noise.gauss(0, spread), target, UP)
        assert verdict.how in ("matched", "between")
        counts.append(len(tried))
    assert sum(counts) / len(counts) < 6.5


def test_a_curve_that_turns_is_crossed_somewhere() -> None:
    def turning(eps: float) -> float:
        return 0.7 - 0.2 * eps + 0.08 * math.sin(4 * math.log(eps))

    for target in (0.55, 0.6, 0.65, 0.7):
        tried, verdict = searched(turning, target, UP)
        assert verdict.how == "matched"
        assert len(tried) <= 10


def test_the_default_comes_first_and_alone_may_do() -> None:
    assert propose([], 0.7, TOLERANCE, UP) == 0.1
    assert propose([], 0.7, TOLERANCE, DOWN) == 50.0
    assert propose([Point(0.1, 0.703)], 0.7, TOLERANCE, UP) == Verdict("matched", Point(0.1, 0.703))


@pytest.mark.parametrize(
    ("dial", "accuracy", "following"),
    [(UP, 0.8, 0.2), (UP, 0.6, 0.05), (DOWN, 0.8, 25.0), (DOWN, 0.6, 100.0)],
)
def test_then_it_goes_where_the_target_lies(dial: Dial, accuracy: float, following: float) -> None:
    assert propose([Point(dial.start, accuracy)], 0.7, TOLERANCE, dial) == following


def test_steps_grow_while_nothing_changes() -> None:
    tried, _ = searched(lambda eps: 0.8, 0.5, UP)
    assert [one.strength for one in tried] == [0.1, 0.2, 1.6, 10.0]


def test_between_two_strengths_it_interpolates_on_their_logarithms() -> None:
    assert propose([Point(0.1, 0.8), Point(0.4, 0.6)], 0.7, TOLERANCE, UP) == 0.2
    assert propose([Point(0.1, 0.76), Point(1.0, 0.64)], 0.73, TOLERANCE, UP) == 0.178


def test_of_several_crossings_the_nearest_to_the_target_is_taken() -> None:
    tried = [Point(0.1, 0.9), Point(0.2, 0.3), Point(0.4, 0.72), Point(0.8, 0.68)]
    assert propose(tried, 0.7, TOLERANCE, UP) == 0.566


def test_the_order_of_what_was_tried_does_not_matter() -> None:
    tried = [Point(0.1, 0.9), Point(0.3, 0.75), Point(0.2, 0.8), Point(0.8, 0.6)]
    orders = itertools.permutations(tried)
    assert len({propose(order, 0.7, TOLERANCE, UP) for order in orders}) == 1


def test_the_tolerance_includes_its_edge_and_the_nearest_wins() -> None:
    assert propose([Point(0.1, 0.705)], 0.7, 0.005, UP) == Verdict("matched", Point(0.1, 0.705))
    assert isinstance(propose([Point(0.1, 0.7051)], 0.7, 0.005, UP), float)
    near = [Point(0.1, 0.704), Point(0.2, 0.698), Point(0.3, 0.702)]
    assert propose(near, 0.7, 0.005, UP) == Verdict("matched", near[2])  # as near, more accurate


@pytest.mark.parametrize("dial", [UP, DOWN], ids=["up", "down"])
def test_a_target_above_the_weakest_is_given_up_where_weakening_stops_to_pay(dial: Dial) -> None:
    curve = SMOOTH["straight"] if dial is UP else as_price(SMOOTH["straight"])
    tried, verdict = searched(curve, 0.95, dial)
    assert (verdict.how, verdict.point) == ("above", tried[-1])
    assert len(tried) <= 5
    assert verdict.point is not None
    assert verdict.point.accuracy > 0.915


def test_near_the_top_a_target_is_not_given_up() -> None:
    tried, verdict = searched(SMOOTH["straight"], 0.9235, UP)  # 0.92 at most, 0.0015 to spare
    assert verdict.how == "matched"
    assert len(tried) <= 5


@pytest.mark.parametrize("dial", [UP, DOWN], ids=["up", "down"])
def test_a_target_below_the_strongest_is_given_up_within_reach(dial: Dial) -> None:
    tried, verdict = searched(lambda _: 0.8, 0.5, dial)
    assert verdict == Verdict("below", tried[0])
    factors = [max(one.strength / dial.start, dial.start / one.strength) for one in tried]
    assert max(factors) == REACH
    assert len(tried) == 4


def test_known_points_away_from_the_default_lead_back_to_it() -> None:
    strong = [Point(8.0, 0.1), Point(16.0, 0.1), Point(64.0, 0.1)]
    assert propose(strong, 0.7, TOLERANCE, UP) == 0.1
    weak = [Point(0.001, 0.9), Point(0.002, 0.9), Point(0.004, 0.9)]
    assert propose(weak, 0.7, TOLERANCE, UP) == 0.1


def test_what_diverged_is_too_strong_and_no_end() -> None:
    tried, verdict = searched(
        lambda eps: 0.8 - 0.1 * eps if eps < 0.5 else -math.inf, 0.76, Dial(1)
    )
    assert verdict.how == "matched"
    assert [one.strength for one in tried] == [1, 0.5, 0.25, 0.354]


def test_where_everything_diverges_there_is_no_nearest() -> None:
    tried, verdict = searched(lambda _: -math.inf, 0.7, UP)
    assert verdict == Verdict("above", None)
    assert tried[-1].strength == 0.1 / REACH


def test_what_is_refused_as_too_weak_is_no_end_either() -> None:
    tried, verdict = searched(lambda eps: 0.8 - 0.1 * eps if eps > 0.3 else math.inf, 0.76, Dial(1))
    assert verdict.how == "matched"
    assert 0.35 <= tried[-1].strength <= 0.45


def test_strengths_have_three_digits() -> None:
    for target in targets(SMOOTH["decaying"]):
        tried, _ = searched(SMOOTH["decaying"], target, UP)
        assert all(one.strength == float(f"{one.strength:.3g}") for one in tried)


def test_whole_strengths() -> None:
    def curve(steps: float) -> float:
        return 0.8 - 0.02 * steps

    for dial in (Dial(3, whole=True), Dial(30, whole=True)):
        for right in range(1, 36):
            tried, verdict = searched(curve, curve(right), dial)
            assert verdict == Verdict("matched", Point(right, curve(right)))
            assert all(isinstance(one.strength, int) for one in tried)
            assert len(tried) <= 8


def test_no_whole_strength_lies_between_or_below_one() -> None:
    def curve(steps: float) -> float:
        return 0.8 - 0.05 * steps

    tried, verdict = searched(curve, 0.63, Dial(3, whole=True))
    assert verdict == Verdict("between", Point(3, curve(3)))
    assert {one.strength for one in tried} >= {3, 4}
    tried, verdict = searched(curve, 0.9, Dial(3, whole=True))
    assert verdict == Verdict("above", Point(1, 0.75))


def test_a_jump_ends_between_neighbours() -> None:
    tried, verdict = searched(lambda eps: 0.9 if eps < 0.2345 else 0.1, 0.5, UP)
    assert verdict.how == "between"
    assert {one.strength for one in tried} >= {0.234, 0.235}
