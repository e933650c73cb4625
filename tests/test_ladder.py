"""Whatever accuracy a run passes through has a checkpoint near, at a bounded price.

The network is a number: the accuracy that measuring it returns.
"""

import math
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robench import ladder
from robench.ladder import Ladder, Measured

RUNG = 0.005
EPOCH = 352  # steps, as CIFAR-10 less the validation images has
Path = NDArray[np.float64]


class Accuracy(nn.Module):
    """A network that is as accurate as it says."""

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros((), dtype=torch.float64))


class Climbed:
    """A ladder that has gone along a path, an accuracy for each step."""

    def __init__(self, path: Path, rung: float = RUNG, epoch: int = EPOCH) -> None:
        self.kept: list[Measured] = []
        self.measurements = 0
        self.settled: list[float] = []
        network, self.ladder = Accuracy(), Ladder(rung, self.measure, self.kept.append)
        for step, accuracy in enumerate(path.tolist(), start=1):
            network.value.fill_(accuracy)
            if step % epoch:
                self.ladder.climb(step, network)
            else:
                self.settled.append(self.ladder.settle(step, network))

    def measure(self, network: nn.Module) -> float:
        assert isinstance(network, Accuracy)
        self.measurements += 1
        return float(network.value)


def straight(*points: tuple[float, float]) -> Path:
    """Return the path that joins (epoch, accuracy) points by straight lines."""
    epochs, accuracies = zip(*points, strict=True)
    steps = np.arange(1, round(epochs[-1] * EPOCH) + 1)
    return np.interp(steps / EPOCH, epochs, accuracies)


def trained(epochs: int, best: float, wobble: float) -> Path:
    """Return a path as training's: a fast rise, then a crawl, on noise that averaging smoothes."""
    noise, steps = np.random.default_rng(0), np.arange(1, epochs * EPOCH + 1)
    decay = 1 - 1 / 500
    drift = np.empty(len(steps))
    state = 0.0
    for i, kick in enumerate(noise.standard_normal(len(steps))):
        state = decay * state + wobble * math.sqrt(1 - decay**2) * kick
        drift[i] = state
    return 0.1 + (best - 0.1) * (1 - np.exp(-steps / (4 * EPOCH))) + drift


PATHS = {
    "a steady climb": straight((0, 0.1), (10, 0.9)),
    "half in one epoch": straight((0, 0.1), (1, 0.6), (6, 0.85)),
    "a take-off from a plateau": straight((0, 0.1), (3, 0.1), (4, 0.6), (5, 0.62)),
    "a take-off in mid-epoch": straight((0, 0.1), (4.3, 0.1), (5.3, 0.6), (7, 0.7)),
    "two plateaus": straight((0, 0.1), (2, 0.1), (3, 0.4), (8, 0.4), (9, 0.8), (12, 0.8)),
    "a smooth take-off": 0.1 + 0.6 / (1 + np.exp(-(np.arange(1, 6 * EPOCH + 1) - 3 * EPOCH) / 80)),
    "a fall": straight((0, 0.1), (2, 0.7), (5, 0.7), (6, 0.3), (8, 0.2)),
    "a collapse and a recovery": straight((0, 0.1), (2, 0.6), (4, 0.6), (5, 0.1), (7, 0.7)),
    "training": trained(30, 0.92, 0.002),
    "restless training": trained(30, 0.7, 0.004),
}
paths = pytest.mark.parametrize("name", PATHS)


@cache
def along(name: str) -> Climbed:
    """Return a ladder that has gone along one of the paths; not to be changed."""
    return Climbed(PATHS[name])


@paths
@pytest.mark.parametrize("copies", [ladder.WINDOW, 28], ids=["small", "width 1"])
def test_every_accuracy_passed_has_a_rung_near(
    name: str, copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    climbed, whole = along(name), PATHS[name]
    if copies != ladder.WINDOW:
        monkeypatch.setattr(ladder, "WINDOW", copies)
        climbed = Climbed(whole)
    kept = [measured.accuracy for measured in climbed.kept]
    passed = np.concatenate([whole, (whole[1:] + whole[:-1]) / 2])
    passed = passed[passed <= max(climbed.settled)]  # a peak within an epoch is not looked for
    off = np.abs(passed[:, None] - np.array(kept)[None]).min(axis=1)
    assert off.max() <= RUNG, f"{passed[off.argmax()]:.4f} is {off.max():.4f} off"


@paths
def test_rungs_are_moves_and_carry_their_own_weights(name: str) -> None:
    path, kept = PATHS[name], along(name).kept
    assert abs(np.diff([measured.accuracy for measured in kept])).min() >= RUNG
    assert (np.diff([measured.step for measured in kept]) > 0).all()
    for measured in kept:
        assert isinstance(measured.network, Accuracy)
        assert float(measured.network.value) == measured.accuracy == path[measured.step - 1]


@paths
def test_measuring_costs_little_where_little_happens(name: str) -> None:
    path, climbed = PATHS[name], along(name)
    travelled = np.abs(np.diff(path, prepend=0)).sum()
    epochs = len(path) // EPOCH
    assert climbed.measurements <= 3 * travelled / RUNG + 2 * epochs + 10


def test_a_steep_rise_is_looked_at_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "WINDOW", 16)
    path = np.minimum(0.1 + 0.006 * np.arange(EPOCH), 0.9)
    steps = np.array([measured.step for measured in Climbed(path).kept])
    first, rising = ladder.FIRST_STRIDE * 16, 133
    assert np.diff(steps[steps <= first]).tolist() == [ladder.FIRST_STRIDE] * 15
    assert np.diff(steps[(first < steps) & (steps <= rising)]).tolist() == [1] * (
        rising - first - 1
    )


def test_a_long_run_keeps_fewer_than_200_checkpoints() -> None:
    climbed = Climbed(trained(200, 0.92, 0.002))
    assert 100 < len(climbed.kept) < 200
    assert climbed.measurements < 3 * 200


def test_a_plateau_is_measured_once_an_epoch() -> None:
    first = Climbed(straight((0, 0.5), (4, 0.5))).measurements
    assert Climbed(straight((0, 0.5), (24, 0.5))).measurements == first + 20


def test_settling_returns_the_accuracy_at_the_end_of_the_epoch() -> None:
    path = straight((0, 0.1), (3, 0.7))
    assert Climbed(path).settled == path[EPOCH - 1 :: EPOCH].tolist()


def test_rung_0_keeps_nothing_and_measures_once_an_epoch() -> None:
    climbed = Climbed(straight((0, 0.1), (3, 0.7)), rung=0)
    assert climbed.kept == []
    assert climbed.measurements == 3
    assert climbed.ladder.window == []


def test_wider_rungs_are_fewer() -> None:
    path = straight((0, 0.1), (4, 0.9))
    assert len(Climbed(path).kept) > 3 * len(Climbed(path, rung=0.02).kept)


@pytest.mark.parametrize(("mebibytes", "copies"), [(1, 128), (9, 28), (300, 4)])
def test_copies_take_no_more_memory_than_allowed(mebibytes: int, copies: int) -> None:
    class Large(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            memory = torch.empty(mebibytes, 2**20, dtype=torch.uint8, device="meta")
            self.register_buffer("value", memory)

    found = ladder._copies(Large())
    assert found == copies
    assert copies == 4 or found * mebibytes <= 256


def test_going_on_from_a_stored_state_is_going_on() -> None:
    path = straight((0, 0.1), (2, 0.1), (4, 0.6))
    whole = Climbed(path)
    half = Climbed(path[: 2 * EPOCH])
    rest, network = Ladder(RUNG, half.measure, half.kept.append), Accuracy()
    for name in ("stride", "kept", "seen"):
        setattr(rest, name, getattr(half.ladder, name))
    for step in range(2 * EPOCH + 1, len(path) + 1):
        network.value.fill_(float(path[step - 1]))
        (rest.climb if step % EPOCH else rest.settle)(step, network)
    assert [(m.step, m.accuracy) for m in half.kept] == [(m.step, m.accuracy) for m in whole.kept]
