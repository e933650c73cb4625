"""Paired comparisons against closed forms, the normal approximation and simulated truth."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from recordings import drawn, outcomes
from robench import draws, metrics, resampling
from robench.comparison import Difference, Images, compare
from robench.comparison_tables import FAILING, NOTHING, ONE_SEED, differences_table
from robench.errors import UserError
from robench.outcomes import Outcomes

INF = math.inf


def everywhere(distance: Sequence[float] | NDArray[np.float64]) -> Outcomes:
    """Return outcomes of a network that is right on every image."""
    return outcomes([True] * len(distance), distance)


def between(
    first: Sequence[Outcomes],
    second: Sequence[Outcomes],
    on: Images = "own",
    resamples: int = metrics.RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare two rows."""
    return compare({"a": first, "b": second}, on, resamples, seed)[0]


def correlated(seed: int, count: int, shift: float = 0.1) -> tuple[Outcomes, Outcomes]:
    """Return two networks that find the same images hard; the first has `shift` more distance."""
    generator = np.random.default_rng(seed)
    hard = generator.gamma(3.0, 0.1, count)
    luck = generator.random(count)
    rows = []
    for more in (shift, 0.0):
        length = hard + more + generator.gamma(1.0, 0.1, count)
        right = luck + 0.3 * generator.random(count) > 0.4
        rows.append(outcomes(right.tolist(), np.where(right, length, 0.0)))
    return rows[0], rows[1]


def test_equal_networks_differ_by_exactly_nothing() -> None:
    for count in (7, 200, 1000):
        one = drawn(count, 0.3, count)
        for found in (between([one], [one]), between([one] * 3, [one] * 3, on="both")):
            assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
            assert found.tie
            assert found.leader is None


def test_a_constant_shift_is_found_exactly() -> None:
    far = np.round(np.random.default_rng(0).gamma(4.0, 64.0, 300)) / 256
    found = between([everywhere(far + 0.125)], [everywhere(far)])
    assert [found.value, found.low, found.high] == pytest.approx([0.125] * 3, abs=1e-12)
    assert (found.leader, found.tie, found.images, found.seeds) == ("a", False, 300, (1, 1))
    assert between([everywhere(far)], [everywhere(far + 0.125)]).leader == "b"


def test_each_network_has_its_own_images_or_both_the_same() -> None:
    a = outcomes([True, True, True, False, True], [1.0, 2.0, 6.0, 0.0, INF])
    b = outcomes([True, True, False, True, True], [0.5, 3.0, 0.0, 8.5, 2.0])
    own, both = between([a], [b]), between([a], [b], on="both")
    assert own.value == pytest.approx((1 + 2 + 6) / 3 - (0.5 + 3 + 8.5 + 2) / 4)
    assert own.value == pytest.approx(metrics.rho_correct(a) - metrics.rho_correct(b))
    assert both.value == pytest.approx(((1 - 0.5) + (2 - 3)) / 2)
    assert (own.images, both.images) == (5, 2)


def test_all_seeds_must_agree_on_the_images_in_common() -> None:
    a = [everywhere([1.0, 2.0, 4.0]), outcomes([False, True, True], [0.0, 2.0, 6.0])]
    b = [outcomes([True, True, True], [1.0, INF, 1.0])]
    found = between(a, b, on="both")
    assert (found.images, found.value) == (1, (4 + 6) / 2 - 1)


def test_against_a_network_of_no_distance_the_interval_is_that_of_the_metrics() -> None:
    one = drawn(5, 0.4, 500)
    nothing = everywhere(np.zeros(500))
    alone = metrics.distances(one).rho_correct
    found = between([one], [nothing])
    shown = [found.value, found.low, found.high]
    assert shown == pytest.approx([alone.value, alone.low, alone.high], abs=1e-7)


def test_interval_is_as_wide_as_the_standard_error_of_paired_differences_says() -> None:
    generator = np.random.default_rng(2)
    far = generator.gamma(4.0, 0.25, (2, 1500)) + generator.gamma(4.0, 0.5, 1500)
    half = metrics.Z95 * (far[0] - far[1]).std() / math.sqrt(1500)
    a, b = [everywhere(far[0])], [everywhere(far[1])]
    for found in (between(a, b), between(a, b, "both")):
        assert found.value - found.low == pytest.approx(half, rel=0.1)
        assert found.high - found.value == pytest.approx(half, rel=0.1)


def test_pairing_narrows_the_interval_of_networks_that_find_the_same_images_hard() -> None:
    one, other = correlated(1, 1000)
    alone = [metrics.distances(side).rho_correct for side in (one, other)]
    unpaired = math.hypot(*(side.high - side.low for side in alone))
    found = between([one], [other])
    assert found.high - found.low < 0.8 * unpaired
    both = between([one], [other], on="both")
    assert both.high - both.low < found.high - found.low


@pytest.mark.parametrize("on", ["own", "both"])
def test_interval_covers_the_truth_as_often_as_it_says(on: Images) -> None:
    covered = 0
    for seed in range(300):
        one, other = correlated(seed, 200)
        found = between([one], [other], on=on, resamples=500, seed=seed)
        covered += found.low <= 0.1 <= found.high
    assert 0.92 <= covered / 300 <= 0.98


def test_seeds_are_drawn_as_well_and_apart_on_either_side() -> None:
    flat = [everywhere(np.full(20, far)) for far in (1.0, 2.0)]
    # No image differs from another, so that the seeds are all that varies.
    found = between(flat, [everywhere(np.zeros(20))])
    assert (found.value, found.low, found.high, found.seeds) == (1.5, 1.0, 2.0, (2, 1))
    same = between(flat, flat)
    assert (same.value, same.low, same.high) == (0.0, -1.0, 1.0)


def test_the_same_name_and_seed_draw_the_same_training_seeds() -> None:
    drawn_once = resampling.seeds(3, 500, (0, "a", 0))
    assert drawn_once[0].tolist() == [0, 1, 2]
    assert set(drawn_once.ravel()) == {0, 1, 2}
    assert np.array_equal(drawn_once, resampling.seeds(3, 500, (0, "a", 0)))
    for other in ((1, "a", 0), (0, "b", 0), (0, "a", 1)):
        assert not np.array_equal(drawn_once, resampling.seeds(3, 500, other))


def test_swapping_changes_the_sign_and_other_rows_change_nothing() -> None:
    a = [drawn(seed, 0.3) for seed in (1, 2)]
    b = [drawn(seed, 0.32) for seed in (3, 4, 5)]
    found, swapped = compare({"a": a, "b": b})[0], compare({"b": b, "a": a})[0]
    assert (found.value, found.low, found.high) == pytest.approx(
        (-swapped.value, -swapped.high, -swapped.low), abs=1e-12
    )
    three = compare({"c": [drawn(9, 0.5)], "a": a, "b": b})
    assert [(one.first, one.second) for one in three] == [("c", "a"), ("c", "b"), ("a", "b")]
    assert three[2] == found


def test_bootstrap_does_not_depend_on_how_it_is_cut_into_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = [drawn(1, 0.3)], [drawn(2, 0.32)]
    whole = between(a, b, resamples=64)
    monkeypatch.setattr(draws, "CHUNK", 1400)
    monkeypatch.setattr(draws, "KEPT", 3000)
    assert between(a, b, resamples=64) == whole
    assert between(a, b, resamples=64, seed=1) != whole


def test_success_is_that_of_the_worst_seed_and_marks_the_difference() -> None:
    whole, failing = everywhere(np.ones(4)), everywhere([1.0, 1.0, 1.0, INF])
    found = between([whole, failing], [whole])
    assert found.success == (0.75, 1.0)
    assert not found.sufficient
    assert between([whole], [whole]).sufficient


def test_nothing_to_measure_is_neither_a_tie_nor_a_lead() -> None:
    resists, falls = everywhere([INF, INF]), everywhere([1.0, 2.0])
    wrong = outcomes([False, False], [0.0, 0.0])
    for other in (resists, wrong):
        for found in (between([falls], [other]), between([falls], [other], "both")):
            assert math.isnan(found.value)
            assert not found.tie
            assert found.leader is None
            assert not found.sufficient
    empty = between([outcomes([], [])], [outcomes([], [])])
    assert math.isnan(empty.low)
    assert compare({"a": [falls]}) == compare({}) == ()


def test_other_images_are_refused() -> None:
    one = everywhere([1.0, 2.0, 3.0])
    moved = replace(one, index=one.index + 1)
    renamed = replace(one, label=one.label * 0)
    for other in (moved, renamed, everywhere([1.0, 2.0])):
        with pytest.raises(UserError, match=r"^a and b were .*--images and --image-seed$"):
            between([one], [one, other])
    with pytest.raises(UserError, match="b has no outcomes to compare"):
        between([one], [])


def test_table_says_who_is_ahead_and_what_to_mind() -> None:
    far = np.arange(1, 41) / 8
    rows = {
        "pgn c_l=20": [everywhere(far + 0.5)] * 2,
        "pgd|x": [everywhere(far)] * 2,
        "fgm": [everywhere(np.where(far < 1, INF, far))],
    }
    lines = differences_table(compare(rows)).splitlines()
    assert lines[0] == (
        "| defenses | difference in rho_correct | verdict | difference in benign accuracy "
        "| images | seeds |"
    )
    assert lines[2] == (
        "| pgn c_l=20 - pgd\\|x | 0.5000 [0.500,\N{NO-BREAK SPACE}0.500] "
        "| **pgn c_l=20** ahead | 0.0000 [0.000,\N{NO-BREAK SPACE}0.000] | 40 | 2 |"
    )
    assert lines[4].startswith("| pgd\\|x - fgm | -0.")
    assert "] † | **fgm** ahead | 0.0000 [" in lines[4]  # by failures alone
    assert lines[4].endswith("] | 40 | 2, 1 |")
    assert lines[5:] == ["", FAILING, "", ONE_SEED]
    both = differences_table(compare(rows, on="both"))
    assert "| 33 in common | 2, 1 |" in both


def test_table_says_where_nothing_was_compared() -> None:
    rows = {"a": [everywhere([1.0, INF])], "b": [everywhere([INF, 1.0])]}
    table = differences_table(compare(rows, on="both"))
    assert (
        "| a - b | n/a † | - | 0.0000 [0.000,\N{NO-BREAK SPACE}0.000] | 0 in common | 1 |" in table
    )
    assert "a - b: not compared, as no image is classified correctly and fooled on both." in table
    nothing = {"a": [everywhere([1.0])], "b": [everywhere([INF])]}
    assert "has no image that is classified correctly and fooled" in differences_table(
        compare(nothing)
    )
    assert differences_table(()) == NOTHING
