"""Numbers over training seeds, against values worked out by hand and the single network's own."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from recordings import drawn, outcomes
from robench import metrics, pooled
from robench.comparison import compare
from robench.metrics import wilson
from robench.outcomes import LONGER, Outcomes

INF = np.inf
ONE = outcomes([False, True, True, True], [0, 0.25, 0.5, 0.75])
TWO = outcomes([True, True, True, False], [1.0, 1.0, INF, 0])


def test_values_are_means_over_seeds() -> None:
    found = pooled.numbers([ONE, TWO], [0.5, 0.6], "fgm")
    assert found.benign.value == (3 / 4 + 3 / 4) / 2
    assert found.rho_correct.value == pytest.approx((0.5 + 1.0) / 2)
    assert found.rho.value == pytest.approx((1.5 / 4 + 2 / 3) / 2)
    assert found.success.value == pytest.approx((1 + 2 / 3) / 2)
    assert [one.value for one in found.accuracy] == [(1 / 4 + 3 / 4) / 2] * 2
    assert pooled.benign_accuracy([ONE, TWO], "fgm") == found.benign


def test_one_seed_has_the_intervals_of_its_network() -> None:
    network = drawn(3, 0.5, 300, failing=0.1)
    found = pooled.numbers([network], [], "fgm")
    own = metrics.distances(network)
    assert astuple(found.rho) == pytest.approx(astuple(own.rho), abs=1e-8)
    assert astuple(found.rho_correct) == pytest.approx(astuple(own.rho_correct), abs=1e-8)
    assert found.benign == metrics.benign_accuracy(network)
    assert found.success == metrics.success_rate(network)


def test_accuracy_counts_an_error_as_far_as_a_radius_may_be_exceeded() -> None:
    edge = np.float32(0.5 * (1 + LONGER))
    over = float(np.nextafter(edge, np.float32(1)))
    network = outcomes([True, True, True, False], [0.5, float(edge), over, 0])
    assert pooled.numbers([network], [0.5], "fgm").accuracy == (wilson(1, 4),)


def test_accuracy_is_never_above_that_under_the_fixed_attack_itself() -> None:
    fixed = drawn(4, 0.5, 200, failing=0.3)
    spent = replace(fixed, distance=np.where(fixed.success, np.float32(0.50004), fixed.distance))
    measured = pooled.numbers([spent], [0.5], "fgm").accuracy[0]
    assert measured == metrics.accuracy(spent)


def test_several_seeds_widen_the_interval_of_a_distance() -> None:
    alike = pooled.numbers([drawn(1, 0.5), drawn(1, 0.5)], [], "fgm").rho_correct
    apart = pooled.numbers([drawn(1, 0.5), drawn(1, 1.5)], [], "fgm").rho_correct
    low, high = (metrics.rho_correct(drawn(1, scale)) for scale in (0.5, 1.5))
    assert alike.high - alike.low < 0.1
    # Half of the draws take one seed twice: the bounds are about those of either alone.
    assert apart.low < low * 1.05
    assert apart.high > high * 0.95
    assert apart.value == pytest.approx((low + high) / 2)


def test_a_share_of_all_images_keeps_wilson_s_interval_over_several_seeds() -> None:
    full: list[Outcomes] = [outcomes([True] * 50, [1.0] * 50)] * 3
    found = pooled.numbers(full, [2.0], "fgm")
    assert found.benign == found.success == wilson(50, 50)
    assert found.accuracy == (wilson(0, 50),)


def test_seeds_are_drawn_as_in_the_paired_comparison() -> None:
    far = [drawn(1, 0.5), drawn(2, 0.9)]
    still = outcomes([True] * 200, [1.0] * 200)
    (against,) = compare({"fgm": far, "still": [still]})
    own = pooled.numbers(far, [], "fgm").rho_correct
    assert astuple(against.interval) == pytest.approx([one - 1 for one in astuple(own)])


def test_nothing_classified_correctly_is_nan() -> None:
    found = pooled.numbers([outcomes([False] * 3, [0.0] * 3)], [0.5], "fgm")
    assert np.isnan(found.rho_correct.value)
    assert np.isnan(found.success.value)
    assert found.benign == found.accuracy[0] == wilson(0, 3)
