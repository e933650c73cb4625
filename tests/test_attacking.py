"""What attacks are shown, and how what they return is judged."""

import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import planes
import tiny
from fading import Changed, Fade, LeastFade
from robench import panel as panels
from robench.attacking import adversaries, judge, predict
from robench.errors import UserError
from robench.outcomes import Outcomes
from robench.panel import Panel

SHAPE, CLASSES = (1, 8, 8), 3
NETWORK = planes.regular_planes(SHAPE, CLASSES)


def panel(count: int) -> Panel:
    """Return images that the planes classify correctly."""
    x = planes.images(SHAPE, count)
    return Panel(np.arange(count), x, planes.labels(NETWORK, x), "any")


def mislabelled(right: Panel, *wrong: int) -> Panel:
    """Return the panel with other labels for some images, which are then misclassified."""
    y = right.y.copy()
    y[list(wrong)] = (y[list(wrong)] + 1) % CLASSES
    return Panel(right.index, right.x, y, right.hash)


def across(shown: Panel, factor: float) -> NDArray[np.float32]:
    """Return the images moved `factor` times the way to their nearest boundary."""
    scores = planes.logits(NETWORK, shown.x)
    scores[np.arange(len(shown)), shown.y] = -np.inf
    weight = NETWORK.weight.detach().numpy()
    ways = weight[scores.argmax(axis=1)] - weight[shown.y]
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    lengths = factor * planes.nearest(NETWORK, shown.x, shown.y)
    moved = shown.x + (ways * lengths[:, None]).reshape(shown.x.shape)
    return moved.astype(np.float32)


def test_panel_is_balanced_seeded_and_known_by_its_hash(tints: Path, tmp_path: Path) -> None:
    data = tiny.planned("baseline", tints, tmp_path).data
    some, again, other = (panels.choose(data, 9, seed) for seed in (0, 0, 1))
    assert np.bincount(some.y).tolist() == [3, 3, 3]
    assert np.array_equal(some.index, again.index)
    assert some.hash == again.hash != other.hash
    assert not np.array_equal(some.index, other.index)
    assert (np.diff(some.index) > 0).all()
    raw = data.test.x.numpy()[some.index].transpose(0, 3, 1, 2)
    assert np.array_equal(some.x, raw.astype(np.float32) / 255)
    assert np.array_equal(some.y, data.test.y.numpy()[some.index])
    whole = panels.choose(data, None, 0)
    assert whole.index.tolist() == list(range(36))


@pytest.mark.parametrize("count", [0, -1, 37])
def test_panel_of_impossible_size_is_refused(count: int, tints: Path, tmp_path: Path) -> None:
    data = tiny.planned("baseline", tints, tmp_path).data
    with pytest.raises(UserError, match=f"--images {count} of 36 test images; give 1 to 36"):
        panels.choose(data, count, 0)


def test_success_is_measured_by_its_distance() -> None:
    shown = panel(20)
    verdict = judge(NETWORK, across(shown, 1.01), shown, None)
    expected = 1.01 * planes.nearest(NETWORK, shown.x, shown.y)
    np.testing.assert_allclose(verdict.outcomes.distance, expected, rtol=1e-5, atol=1e-7)
    assert verdict.outcomes.success.all()
    np.testing.assert_allclose(verdict.outcomes.norm, expected, rtol=1e-5, atol=1e-7)
    assert (verdict.outcomes.adversarial != shown.y).all()
    assert np.array_equal(verdict.outcomes.clean, shown.y)
    assert verdict.violations == 0


def test_image_that_is_not_adversarial_is_a_failure_at_infinity() -> None:
    shown = panel(20)
    verdict = judge(NETWORK, across(shown, 0.99), shown, None)
    assert np.isinf(verdict.outcomes.distance).all()
    expected = 0.99 * planes.nearest(NETWORK, shown.x, shown.y)
    np.testing.assert_allclose(verdict.outcomes.norm, expected, rtol=1e-5, atol=1e-7)
    assert not verdict.outcomes.success.any()
    assert verdict.violations == 0


def test_what_breaks_the_rules_is_a_counted_failure() -> None:
    shown = panel(6)
    made = across(shown, 1.01)
    made[0, 0, 0, 0] = 1.01
    made[1, 0, 0, 0] = -0.01
    made[2, 0, 3, 3] = np.nan
    made[3] = np.inf
    radius = float(np.sort(planes.nearest(NETWORK, shown.x, shown.y)[4:])[0] * 1.02)
    verdict = judge(NETWORK, made, shown, radius)
    lengths = 1.01 * planes.nearest(NETWORK, shown.x, shown.y)
    allowed = [False] * 4 + [bool(length <= radius) for length in lengths[4:]]
    assert np.isfinite(verdict.outcomes.norm).tolist() == [True, True, False, False, True, True]
    assert np.isnan(verdict.outcomes.norm[2])
    assert sorted(allowed[4:]) == [False, True]
    assert verdict.outcomes.success.tolist() == allowed
    assert np.isinf(verdict.outcomes.distance).tolist() == [not fine for fine in allowed]
    assert verdict.violations == 5


def test_what_is_longer_than_float32_can_say_is_infinitely_long() -> None:
    shown = panel(1)
    made = np.full_like(shown.x, 3e38)
    verdict = judge(NETWORK, made, shown, None)
    assert verdict.outcomes.norm.tolist() == verdict.outcomes.distance.tolist() == [np.inf]


def test_rounding_is_no_violation() -> None:
    shown = panel(4)
    shown.x[:, 0, 0, 0] = 1
    made = shown.x.copy()
    made[:, 0, 0, 0] = np.float32(1) + np.finfo(np.float32).eps
    assert judge(NETWORK, made, shown, None).violations == 0


def test_misclassified_image_counts_at_zero() -> None:
    shown = mislabelled(panel(4), 1, 2)
    verdict = judge(NETWORK, shown.x, shown, None)
    assert verdict.outcomes.success.tolist() == [False, True, True, False]
    assert verdict.outcomes.distance.tolist() == [np.inf, 0, 0, np.inf]
    assert verdict.outcomes.correct.tolist() == [True, False, False, True]


def test_minimal_attack_is_not_shown_misclassified_images() -> None:
    shown = mislabelled(panel(8), 0, 5)
    made, seconds = adversaries(NETWORK, CLASSES, LeastFade(1.0), shown, "", bar=False)
    untouched = [bool((made[i] == shown.x[i]).all()) for i in range(8)]
    assert untouched == [True, False, False, False, False, True, False, False]
    assert (made[[1, 2, 3, 4, 6, 7]] == 0.5).all()
    assert seconds > 0


def test_attack_of_fixed_budget_is_shown_every_image() -> None:
    shown = mislabelled(panel(8), 0, 5)
    before = shown.x.copy()
    made, _ = adversaries(NETWORK, CLASSES, Fade(1.0), shown, "", bar=False)
    assert (made == 0.5).all()
    assert np.array_equal(shown.x, before)


def test_attacks_run_in_chunks_and_none_is_forgotten() -> None:
    shown = panel(601)
    made, _ = adversaries(NETWORK, CLASSES, Fade(0.5), shown, "", bar=False)
    np.testing.assert_allclose(made, 0.5 * shown.x + 0.25, atol=1e-6)
    assert np.array_equal(predict(NETWORK, shown.x), shown.y)


@dataclass(frozen=True)
class Crop(Fade):
    """Returns images of another size."""

    def build(self, estimator: Any) -> Changed:
        return Changed(estimator, lambda x: x[:, :, 1:])


def test_attack_that_changes_the_shape_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"attack Crop returned .*\(3, 1, 7, 8\)"):
        adversaries(NETWORK, CLASSES, Crop(), panel(3), "", bar=False)


@dataclass(frozen=True)
class Noise(Fade):
    """Draws from the global generators, as some of ART's attacks do."""

    def build(self, estimator: Any) -> Changed:
        return Changed(
            estimator, lambda x: (torch.rand(x.shape).numpy() + np.random.rand(*x.shape)) / 2
        )


def test_random_attacks_repeat_and_leave_the_generators_alone() -> None:
    before = torch.get_rng_state(), pickle.dumps(np.random.get_state())
    first, _ = adversaries(NETWORK, CLASSES, Noise(), panel(3), "", bar=False)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == pickle.dumps(np.random.get_state())
    torch.rand(1), np.random.rand()
    second, _ = adversaries(NETWORK, CLASSES, Noise(), panel(3), "", bar=False)
    assert np.array_equal(first, second)


def test_a_misclassified_image_that_an_attack_makes_right_counts_as_fooled(tmp_path: Path) -> None:
    right = panel(9)
    made = across(right, 1.01)
    to = predict(NETWORK, made)
    shown = Panel(right.index, right.x, np.where(np.arange(9) < 2, to, right.y), right.hash)
    found = judge(NETWORK, made, shown, None).outcomes
    assert found.adversarial[:2].tolist() == shown.y[:2].tolist()  # made right
    assert found.success.all()
    assert found.distance[:2].tolist() == [0, 0]
    assert (found.norm > 0).all()
    assert not found.contradictory.any()
    older = replace(found, success=found.success & (found.adversarial != found.label))
    older.distance[:2] = np.inf
    assert older.contradictory[:2].all()
    older.save(tmp_path / "older.npz")
    read = Outcomes.load(tmp_path / "older.npz")
    assert read.success.all()
    assert read.distance[:2].tolist() == [0, 0]
