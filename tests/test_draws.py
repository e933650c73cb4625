"""Images drawn anew against drawing them one by one, and medians against sorting each resample."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from recordings import drawn
from robench import draws, medians, metrics


def naive(count: int, resamples: int, seed: int) -> NDArray[np.int32]:
    """Return the images of every resample, drawn in one call."""
    return np.random.default_rng(seed).integers(count, size=(resamples, count), dtype=np.int32)


def taken(reach: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """Return the bootstrap medians of seed 0, as the report computes them."""
    order = np.argsort(reach)
    before = draws.sums(medians.below(order)[:, None], resamples, 0)[:, 0]
    return medians.medians(reach, order, before, resamples, 0)


@pytest.mark.parametrize("count", [1, 2, 7, 300, 1000])
def test_sums_are_those_of_the_images_that_a_generator_of_the_seed_draws(count: int) -> None:
    columns = np.random.default_rng(1).integers(100, size=(count, 3)).astype(np.float64)
    columns[:, 2] = columns[:, 0]
    expected = columns[naive(count, 50, 3)].sum(axis=1)
    assert np.array_equal(draws.sums(columns, 50, 3), expected)


@pytest.mark.parametrize("kept", [1, 700, 10_000])
def test_sums_and_medians_do_not_depend_on_how_many_are_held(
    monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    one = drawn(4, 0.3, count=70)
    columns = one.distance.astype(np.float64)[:, None]
    whole, far = draws.sums(columns, 100, 0), metrics.distances(one, 100)
    monkeypatch.setattr(draws, "KEPT", kept)
    monkeypatch.setattr(draws, "CHUNK", 350)
    assert np.array_equal(draws.sums(columns, 100, 0), whole)
    assert metrics.distances(one, 100) == far


@pytest.mark.parametrize("count", [1, 2, 3, 40, 333, 1000])
def test_medians_are_those_of_sorting_each_resample(count: int) -> None:
    generator = np.random.default_rng(count)
    for reach in (
        generator.gamma(2.0, 1.0, count),
        np.round(generator.gamma(2.0, 1.0, count)),  # ties
        np.where(generator.random(count) < 0.5, math.inf, generator.random(count)),
        np.zeros(count),
    ):
        expected = np.median(reach[naive(count, 200, 0)], axis=1)
        assert np.array_equal(taken(reach, 200), expected)


def test_medians_beyond_the_window_are_found_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    reach = np.random.default_rng(5).gamma(2.0, 1.0, 100)
    whole = taken(reach, 300)
    monkeypatch.setattr(medians, "REACH", 0.1)
    assert medians.window(100) == (49, 51)
    assert np.array_equal(taken(reach, 300), whole)


def test_many_networks_have_the_distances_that_each_has_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks = [drawn(seed, 0.1 * seed, failing=0.2) for seed in range(1, 8)]
    monkeypatch.setattr(metrics, "BATCH", 3)
    assert metrics.distances_of(networks) == [metrics.distances(one) for one in networks]
    assert metrics.distances_of([]) == []
