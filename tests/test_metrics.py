"""Metrics against values computed by hand."""

import math
from dataclasses import astuple
from statistics import NormalDist

import numpy as np
import pytest

from recordings import outcomes
from robench import draws, metrics

INF = math.inf

# Five images: misclassified; fooled at 1, 2 and 3; one that the attack could not fool.
FIVE = outcomes([False, True, True, True, True], [0.0, 1.0, 2.0, 3.0, INF])
NOTHING = outcomes([], [])


def test_accuracies_count_images() -> None:
    assert metrics.benign_accuracy(FIVE).value == pytest.approx(4 / 5)
    assert metrics.accuracy(FIVE).value == pytest.approx(1 / 5)
    assert metrics.success_rate(FIVE).value == pytest.approx(3 / 4)


def test_rho_counts_the_misclassified_at_zero_and_leaves_failures_out() -> None:
    assert metrics.rho(FIVE) == pytest.approx((0 + 1 + 2 + 3) / 4)


def test_rho_correct_leaves_the_misclassified_out() -> None:
    assert metrics.rho_correct(FIVE) == pytest.approx((1 + 2 + 3) / 3)


def test_a_failure_is_infinitely_far_in_the_median() -> None:
    assert metrics.median(FIVE) == 2.0
    mostly_failed = outcomes([True] * 3, [1.0, INF, INF])
    assert metrics.median(mostly_failed) == INF


def test_curve_keeps_who_is_correct_and_farther() -> None:
    norms = [0.0, 0.5, 1.0, 2.5, 3.0, 100.0]
    assert metrics.curve(FIVE, norms).tolist() == pytest.approx([0.8, 0.8, 0.6, 0.4, 0.2, 0.2])


def test_curve_starts_at_benign_accuracy_and_its_area_is_rho_where_no_attack_failed() -> None:
    sample = outcomes([False, True, True, True], [0.0, 0.25, 0.5, 1.25])
    norms = np.linspace(0.0, 2.0, 2001)
    curve = metrics.curve(sample, norms)
    assert curve[0] == metrics.benign_accuracy(sample).value
    assert curve[:-1].sum() * 0.001 == pytest.approx(metrics.rho(sample), abs=2e-3)


def test_wilson_solves_its_own_equation() -> None:
    # The bounds are the p for which |hits/n - p| is 1.96 standard errors of p itself.
    measured = metrics.wilson(81, 263)
    for p in (measured.low, measured.high):
        error = math.sqrt(p * (1 - p) / 263)
        assert abs(81 / 263 - p) / error == pytest.approx(1.959964, abs=1e-6)
    # Newcombe (1998), Table I, printed to four decimals.
    assert measured.low == pytest.approx(0.2553, abs=5e-5)
    assert measured.high == pytest.approx(0.3662, abs=5e-5)


def test_wilson_at_the_ends_has_the_closed_form() -> None:
    z = 1.959963984540054**2
    assert astuple(metrics.wilson(0, 20)) == pytest.approx((0.0, 0.0, z / (20 + z)))
    assert astuple(metrics.wilson(20, 20)) == pytest.approx((1.0, 20 / (20 + z), 1.0))


def test_nothing_measured_is_nan_and_no_warning() -> None:
    accuracies = [metrics.benign_accuracy, metrics.accuracy, metrics.success_rate]
    for measure in accuracies:
        assert math.isnan(measure(NOTHING).value)
    for distance in (metrics.rho, metrics.rho_correct, metrics.median):
        assert math.isnan(distance(NOTHING))
    assert math.isnan(metrics.distances(NOTHING).rho.low)
    assert np.isnan(metrics.curve(NOTHING, [0.0, 1.0])).all()


def test_an_attack_that_never_succeeds_has_no_rho_and_an_infinite_median() -> None:
    measured = metrics.distances(outcomes([True, True], [INF, INF]))
    assert math.isnan(measured.rho.value)
    assert math.isnan(measured.rho.high)
    assert astuple(measured.median) == (INF, INF, INF)


def test_bootstrap_interval_is_as_wide_as_the_standard_error_says() -> None:
    count = 2000
    normal = NormalDist(1.0, 0.1)
    length = np.array([normal.inv_cdf((place + 0.5) / count) for place in range(count)])
    measured = metrics.distances(outcomes([True] * count, length))
    half = 1.959964 * 0.1 / math.sqrt(count)
    for interval in (measured.rho, measured.rho_correct):
        assert interval.value - interval.low == pytest.approx(half, rel=0.1)
        assert interval.high - interval.value == pytest.approx(half, rel=0.1)
    # A normal median's standard error is sqrt(pi / 2) times the mean's.
    width = measured.median.high - measured.median.low
    assert width / 2 == pytest.approx(half * math.sqrt(math.pi / 2), rel=0.1)


def test_bootstrap_does_not_depend_on_how_it_is_cut_into_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = metrics.distances(FIVE, resamples=64)
    monkeypatch.setattr(draws, "CHUNK", 35)
    monkeypatch.setattr(draws, "KEPT", 90)
    assert metrics.distances(FIVE, resamples=64) == whole
    assert metrics.distances(FIVE, resamples=64, seed=1) != whole


def test_bootstrap_bounds_reach_infinity_where_half_of_a_resample_may_fail() -> None:
    generator = np.random.default_rng(3)
    failed = np.arange(100) % 100 < 45
    length = np.where(failed, INF, generator.uniform(1.0, 2.0, 100))
    measured = metrics.distances(outcomes([True] * 100, length)).median
    assert 1.0 < measured.low < measured.value < 2.0
    assert measured.high == INF


def test_paired_accuracy_is_over_images_and_seeds() -> None:
    """Beside the variance by hand: that over images, and over two seeds of one side."""
    generator = np.random.default_rng(0)
    right = generator.random((3, 400)) < np.array([0.6, 0.7, 0.65])[:, None]
    networks = [outcomes(list(one), [0.5] * 400) for one in right]
    found = metrics.paired_accuracy(networks[:2], networks[2:])
    each = right[:2].mean(axis=0) - right[2]
    variance = each.var(ddof=1) / 400 + np.var(right[:2].mean(axis=1), ddof=1) / 2
    assert found.value == pytest.approx(right[:2].mean() - right[2].mean())
    assert found.high - found.value == pytest.approx(1.959964 * np.sqrt(variance))
    assert found.value - found.low == pytest.approx(found.high - found.value)
    same = metrics.paired_accuracy(networks[:1], networks[:1])
    assert (same.value, same.low, same.high) == (0, 0, 0)
