"""Areas between robustness curves and their crossings against closed forms."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from recordings import drawn, outcomes
from robench import metrics, piecewise
from robench.comparison_tables import NOTHING, dominance_table
from robench.dominance import Dominance, Incomparable, Strength, compare
from robench.errors import UserError
from robench.outcomes import Outcomes
from robench.piecewise import Curve

INF = math.inf
COUNT = 100


def network(correct: int, far: float, first: int = 0) -> Outcomes:
    """Return `correct` of 100 images right, from `first` on, each at the distance `far`."""
    right = (np.arange(COUNT) - first) % COUNT < correct
    return outcomes(right.tolist(), np.where(right, far, 0.0))


def line(*points: tuple[int, float]) -> list[Strength]:
    """Return a curve of one seed a strength through (percent correct, rho_correct)."""
    return [[network(correct, far)] for correct, far in points]


def only(whole: Outcomes, percent: int) -> Outcomes:
    """Leave no more than so many of a hundred images right."""
    wrong = whole.index % 100 >= percent
    clean = np.where(wrong, 0, whole.clean).astype(np.int16)
    distance = np.where(wrong, 0, whole.distance).astype(np.float32)
    return replace(whole, clean=clean, distance=distance)


def over(first: Sequence[Strength], second: Sequence[Strength]) -> Dominance:
    """Compare two curves by rho_correct, which these networks have exactly."""
    found = compare({"a": first, "b": second}, "rho_correct")[0]
    assert isinstance(found, Dominance)
    return found


def curve(*points: tuple[float, float]) -> Curve:
    """Return a piecewise linear curve."""
    x, y = np.array(points).T
    return piecewise.through(x, y)


def shown(measured: metrics.Interval) -> list[float]:
    """Return value and bounds."""
    return [measured.value, measured.low, measured.high]


def test_parallel_lines_enclose_gap_times_width_in_every_resample() -> None:
    found = over(line((60, 1.0), (90, 0.5)), line((60, 0.75), (90, 0.25)))
    assert (found.low_accuracy, found.high_accuracy) == pytest.approx((0.6, 0.9))
    assert found.area.value == pytest.approx(0.25 * 0.3)
    assert found.area.low < found.area.value < found.area.high  # the width varies
    assert shown(found.advantage) == pytest.approx([0.25] * 3)
    assert (found.crossings, found.share_ahead, found.leader) == ((), 1.0, "a")
    assert (found.points, found.images, found.seeds, found.left_out) == ((2, 2), 100, (1, 1), 0)


def test_lines_that_cross_in_the_middle_are_even() -> None:
    found = over(line((60, 1.0), (90, 0.5)), line((60, 0.75), (90, 0.75)))
    assert found.area.value == pytest.approx(0.0, abs=1e-12)
    assert found.crossings == pytest.approx((0.75,))
    assert found.share_ahead == pytest.approx(0.5)
    assert found.tie
    assert found.leader is None


def test_only_what_both_cover_counts() -> None:
    found = over(line((50, 2.0), (80, 0.5)), line((60, 1.0), (90, 1.0)))
    assert (found.low_accuracy, found.high_accuracy) == pytest.approx((0.6, 0.8))
    assert found.area.value == pytest.approx((0.5 - 0.5) / 2 * 0.2, abs=1e-12)
    assert found.crossings == pytest.approx((0.7,))


def test_equal_curves_are_a_tie_at_exactly_nothing() -> None:
    points = line((50, 2.0), (60, 1.5), (80, 0.5))
    found = over(points, points)
    assert shown(found.area) == shown(found.advantage) == [0.0] * 3
    assert (found.tie, found.crossings, found.share_ahead) == (True, (), 0.0)


def test_swapping_changes_the_sign_and_the_order_of_points_nothing() -> None:
    a = [
        [only(drawn(9 * k + seed, 0.3 + 0.1 * k), 90 - 9 * k) for seed in (0, 1)] for k in (0, 1, 2)
    ]
    b = [[only(drawn(50 + k, 0.25 + 0.12 * k), 88 - 11 * k)] for k in (0, 1, 2)]
    found, swapped = compare({"a": a, "b": b})[0], compare({"b": b, "a": a})[0]
    assert isinstance(found, Dominance)
    assert isinstance(swapped, Dominance)
    for one, other in ((found.area, swapped.area), (found.advantage, swapped.advantage)):
        assert shown(one) == pytest.approx([-other.value, -other.high, -other.low], abs=1e-12)
        assert one.low < one.value < one.high
    assert found.crossings == pytest.approx(swapped.crossings)
    assert found.share_ahead == pytest.approx(1 - swapped.share_ahead)
    assert found.seeds == (2, 1)
    assert compare({"a": [a[2], a[0], a[1]], "b": b[::-1]}) == (found,)
    assert compare({"a": a, "c": [*a, *b], "b": b})[1] == found


def test_rho_is_that_of_the_paper_unless_asked_otherwise() -> None:
    a, b = line((60, 1.0), (90, 0.5)), line((60, 0.5), (90, 0.5))
    found = compare({"a": a, "b": b})[0]
    assert isinstance(found, Dominance)
    # The misclassified count at 0: rho is rho_correct times accuracy.
    gaps = (1.0 * 0.6 - 0.5 * 0.6, 0.5 * 0.9 - 0.5 * 0.9)
    assert found.advantage.value == pytest.approx(sum(gaps) / 2)


def test_a_point_is_the_mean_over_its_seeds() -> None:
    a: list[Strength] = [
        [network(50, 1.0), network(70, 2.0)],
        [network(90, 0.5), network(90, 1.5)],
    ]
    found = over(a, line((60, 1.5), (90, 1.0)))
    assert (found.low_accuracy, found.high_accuracy) == pytest.approx((0.6, 0.9))
    assert found.area.value == pytest.approx(0.0, abs=1e-12)
    assert found.seeds == (2, 1)
    # Seeds drawn alike move rho by half a unit; images alone would move it by nothing.
    assert found.advantage.low < -0.2
    assert found.advantage.high > 0.2


def test_points_of_equal_accuracy_are_averaged() -> None:
    twice = line((60, 0.5), (60, 1.5), (90, 0.5))
    found = over(twice, line((60, 1.0), (90, 0.5)))
    assert shown(found.advantage) == pytest.approx([0.0] * 3, abs=1e-12)
    assert found.points == (3, 2)


def test_interval_is_as_wide_as_the_standard_error_says() -> None:
    count, half_right = 1000, np.arange(1000) < 500
    far = np.random.default_rng(4).gamma(4.0, 0.25, (4, count))
    far[1::2, ~half_right] = 0.0
    networks = [outcomes((row > 0).tolist(), row) for row in far]
    found = compare({"a": [networks[:1], networks[1:2]], "b": [networks[2:3], networks[3:]]})[0]
    assert isinstance(found, Dominance)
    # Both curves are straight between the same accuracies: the mean gap is that of their ends.
    gap = (far[0] + far[1] - far[2] - far[3]) / 2
    half = metrics.Z95 * gap.std() / math.sqrt(count)
    assert found.advantage.value == pytest.approx(gap.mean(), abs=1e-6)
    assert found.advantage.value - found.advantage.low == pytest.approx(half, rel=0.1)
    assert found.advantage.high - found.advantage.value == pytest.approx(half, rel=0.1)


def test_too_few_points_or_no_shared_accuracy_is_said_and_not_raised() -> None:
    long, short, low = line((60, 1.0), (90, 0.5)), line((70, 1.0)), line((20, 3.0), (40, 2.0))
    found = compare({"a": long, "b": short, "c": low, "d": []})
    assert all(isinstance(one, Incomparable) for one in found)
    reasons = [one.reason for one in found if isinstance(one, Incomparable)]
    few = "fewer than two points on the curve of "
    assert reasons[:3] == [few + "b", "they share no range of accuracies", few + "d"]
    assert reasons[4] == few + "b and of d"
    touching = compare({"a": long, "b": line((30, 2.0), (60, 1.0))})[0]
    assert touching == Incomparable("a", "b", ((0.6, 0.9), (0.3, 0.6)))
    assert compare({"a": long}) == compare({}) == ()


def test_a_strength_that_was_never_fooled_is_no_point() -> None:
    never = [outcomes([True] * COUNT, [INF] * COUNT)]
    a = line((60, 1.0), (90, 0.5))
    found = over([*a, never], line((60, 0.5), (90, 0.25)))
    assert found.points == (2, 2)
    assert found.high_accuracy == pytest.approx(0.9)


def test_failures_are_flagged() -> None:
    partly = outcomes([True] * COUNT, [INF] * 10 + [1.0] * 90)
    found = over([[network(60, 2.0)], [partly]], line((60, 1.0), (90, 0.5)))
    assert found.success == (0.9, 1.0)
    assert not found.sufficient
    assert over(line((60, 1.0), (90, 0.5)), line((60, 1.0), (90, 0.5))).sufficient


def test_resamples_without_a_shared_accuracy_are_counted_and_left_out() -> None:
    a = line((40, 2.0), (60, 1.0))
    b: list[Strength] = [[network(58, 1.0, first=42)], [network(80, 0.5, first=20)]]
    found = over(a, b)
    assert 0 < found.left_out < found.resamples == metrics.RESAMPLES
    assert math.isfinite(found.advantage.low)
    note = f"a - b: {found.left_out} of 2000 resamples shared no accuracy"
    assert note in dominance_table([found])


def test_other_images_are_refused() -> None:
    a, b = line((60, 1.0), (90, 0.5)), line((60, 1.0))
    moved = replace(b[0][0], index=b[0][0].index + 1)
    with pytest.raises(UserError, match="a and b were attacked on different test images"):
        compare({"a": a, "b": [*b, [moved]]})


def test_difference_is_exact_where_either_curve_bends() -> None:
    first = curve((0.0, 0.0), (2.0, 3.0), (5.0, -1.0), (6.0, 4.0))
    second = curve((1.0, 1.0), (2.5, 0.5), (4.0, 2.0), (8.0, -2.0))
    gap = piecewise.difference(first, second)
    fine = np.linspace(1.0, 6.0, 200_001)
    y = np.interp(fine, first.x, first.y) - np.interp(fine, second.x, second.y)
    assert (gap.x[0], gap.x[-1], float(gap.width)) == (1.0, 6.0, 5.0)
    assert np.abs(np.interp(fine, gap.x, gap.y) - y).max() < 1e-12
    assert float(gap.area) == pytest.approx(float(((y[1:] + y[:-1]) / 2).mean()) * 5, abs=1e-8)
    assert piecewise.share_above(gap) == pytest.approx(float((y > 0).mean()), abs=1e-4)
    signs = np.flatnonzero(np.diff(np.sign(y)))
    assert piecewise.crossings(gap) == pytest.approx(fine[signs].tolist(), abs=1e-4)
    assert len(signs) == 2


def test_many_curves_at_once_are_each_as_by_itself() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.random((2, 50, 4)).round(1), generator.random((2, 50, 4))
    many = piecewise.difference(*(piecewise.through(x[side], y[side]) for side in (0, 1)))
    for place in range(50):
        one = piecewise.difference(
            *(piecewise.through(x[side, place], y[side, place]) for side in (0, 1))
        )
        assert float(many.area[place]) == pytest.approx(float(one.area), nan_ok=True)
        assert float(many.width[place]) == pytest.approx(float(one.width), nan_ok=True)
    assert 0 < np.isnan(many.area).sum() < 50


def test_crossings_need_a_change_of_sign() -> None:
    touching = curve((0.0, 1.0), (1.0, 0.0), (2.0, 1.0))
    assert piecewise.crossings(touching) == ()
    through_zero = curve((0.0, 1.0), (1.0, 0.0), (2.0, -1.0))
    assert piecewise.crossings(through_zero) == (1.0,)
    along_zero = curve((0.0, 1.0), (1.0, 0.0), (3.0, 0.0), (4.0, -1.0))
    assert piecewise.crossings(along_zero) == (2.0,)
    assert piecewise.share_above(along_zero) == pytest.approx(0.25)


def test_table_shows_the_comparison_and_says_what_has_none() -> None:
    curves = {
        "pgn": line((60, 1.0), (90, 0.5)),
        "pgd": line((60, 0.75), (90, 0.25)),
        "flat": line((60, 0.75), (90, 0.75)),
        "one": line((70, 1.0)),
    }
    lines = dominance_table(compare(curves, "rho_correct")).splitlines()
    assert lines[0].startswith("| defenses | shared accuracies | area | mean advantage in rho |")
    assert lines[2] == (
        "| pgn - pgd | 0.600 to 0.900 | 0.0750 | 0.2500 [0.250,\N{NO-BREAK SPACE}0.250] | 1.00 "
        "| none | **pgn** ahead | 2, 2 | 100 | 1 |"
    )
    assert "| 0.50 | 0.750 | tie | 2, 2 | 100 | 1 |" in lines[3]
    assert (
        "pgn - one: not compared, as fewer than two points on the curve of one "
        "(accuracies: pgn 0.600 to 0.900, one 0.700)."
    ) in lines
    assert dominance_table(compare({"a": [], "b": []})).startswith("a - b: not compared, as fewer")
    assert dominance_table(()) == NOTHING
