"""The per-image minimum over attacks, against values worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from recordings import drawn, outcomes
from robench import metrics
from robench.envelope import envelope, places
from robench.errors import UserError
from robench.outcomes import Outcomes

INF = np.inf
CLEAN = [False, True, True, True, True]
FIRST = outcomes(CLEAN, [0, 1.0, 0.5, INF, INF], [0, 2, 2, 1, 1])
SECOND = outcomes(CLEAN, [0, 0.75, INF, 2.0, INF], [0, 3, 1, 3, 1])


def some(whole: Outcomes, at: list[int], distance: list[float]) -> Outcomes:
    """Return outcomes on a part of the images: those at `at`, class 4 where fooled."""
    part = outcomes([bool(whole.correct[place]) for place in at], distance)
    fooled = np.where(part.success, 4, 1).astype(np.int16)
    return replace(part, index=whole.index[at], adversarial=fooled)


def test_each_image_has_the_nearest_error_that_any_attack_found() -> None:
    least = envelope([FIRST, SECOND])
    assert least.distance.tolist() == [0, 0.75, 0.5, 2.0, INF]
    assert least.success.tolist() == [True, True, True, True, False]
    assert least.adversarial.tolist() == [0, 3, 2, 3, 1]
    assert least.norm[:4].tolist() == [0, 0.75, 0.5, 2.0]
    assert np.isnan(least.norm[4])
    assert least.distance.dtype == np.float32
    assert metrics.rho_correct(least) == (0.75 + 0.5 + 2.0) / 3
    assert metrics.success_rate(least).value == 3 / 4


def test_the_order_of_the_attacks_changes_nothing() -> None:
    for one, other in ([FIRST, SECOND], [SECOND, FIRST]):
        assert envelope([one, other]).distance.tolist() == [0, 0.75, 0.5, 2.0, INF]
    alone = envelope([FIRST])
    assert alone.distance.tolist() == FIRST.distance.tolist()
    assert alone.clean.tolist() == FIRST.clean.tolist()


def test_a_part_of_the_images_counts_where_it_was_run_in_any_order() -> None:
    part = some(FIRST, [4, 1], [3.0, 0.25])
    least = envelope([FIRST, SECOND], [part])
    assert least.distance.tolist() == [0, 0.25, 0.5, 2.0, 3.0]
    assert least.adversarial.tolist() == [0, 4, 2, 3, 4]


def test_what_is_no_success_does_not_count_at_any_distance() -> None:
    broken = replace(FIRST, success=np.array([True, False, False, False, False]))
    assert envelope([broken]).distance.tolist() == [0, INF, INF, INF, INF]


def test_the_misclassified_are_at_zero_whatever_an_attack_spent_on_them() -> None:
    spent = replace(FIRST, distance=np.array([0.5, 1, 0.5, INF, INF], dtype=np.float32))
    assert envelope([spent]).distance[0] == 0


def test_what_one_evaluation_found_misclassified_is_so() -> None:
    twice = replace(SECOND, clean=np.array([0, 1, 7, 1, 1], dtype=np.int16))
    for networks in ([FIRST, twice], [twice, FIRST]):
        least = envelope(networks)
        assert least.correct.tolist() == [False, True, False, True, True]
        assert least.distance.tolist() == [0, 0.75, 0, 2.0, INF]
        assert least.adversarial[2] == 7


def test_the_inputs_stay_as_they_are() -> None:
    before = FIRST.distance.tolist(), FIRST.clean.tolist(), FIRST.adversarial.tolist()
    envelope([FIRST, SECOND], [some(FIRST, [1], [0.1])])
    assert (FIRST.distance.tolist(), FIRST.clean.tolist(), FIRST.adversarial.tolist()) == before


def test_places_are_those_of_the_same_images() -> None:
    shuffled = replace(FIRST, index=np.array([9, 3, 7, 1, 5], dtype=np.int32))
    part = some(shuffled, [3, 0], [1.0, 1.0])
    found = places(part, shuffled)
    assert found is not None
    assert found.tolist() == [3, 0]
    for index in ([1, 2], [1, 10], [0, 1]):
        assert places(replace(part, index=np.array(index, dtype=np.int32)), shuffled) is None
    assert places(replace(part, label=part.label + 1), shuffled) is None
    assert places(shuffled, part) is None


def test_other_images_and_no_attack_are_refused() -> None:
    with pytest.raises(UserError, match="same images"):
        envelope([FIRST, drawn(0, 1.0, 6)])
    with pytest.raises(UserError, match="same images"):
        envelope([FIRST], [replace(FIRST, index=FIRST.index + 1)])
    with pytest.raises(UserError, match="no attack"):
        envelope([])
