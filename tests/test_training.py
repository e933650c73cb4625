"""Training: what a run leaves behind, from which seed, and how it fails."""

import json
import math
import pickle
import random
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tiny
from robench import files, weights
from robench.defense import Defense
from robench.errors import Diverged
from robench.learner import CLASSIFIER
from robench.planning import Plan
from robench.plugins import DEFENSES
from robench.runs import RunFolder, read_run
from robench.stopwatch import Stopwatch
from robench.training import accuracy, train
from robench_defenses.generator import Generator


def folder_of(planned: Plan) -> RunFolder:
    """Return the paths of a planned run."""
    return RunFolder(planned.root / planned.spec.key)


@pytest.mark.parametrize("defense", DEFENSES.names())
def test_every_defense_trains_on_digits_for_two_steps(defense: str, tmp_path: Path) -> None:
    planned = tiny.planned(defense, None, tmp_path, dataset="digits", batch_size=600)
    (row,) = tiny.epochs(planned)
    assert (row.epoch, math.isfinite(row.loss), row.seconds > 0) == (1, True, True)
    assert (row.perturbation > 0) == (defense != "baseline")
    run, folder = read_run(folder_of(planned).path), folder_of(planned)
    assert (run.shape, run.classes) == ((1, 8, 8), 10)
    assert (run.history, run.final.step, run.final.epoch) == ((row,), 2, 1)
    assert run.final.accuracy == row.accuracy
    assert folder.done.exists()
    assert not folder.state.exists()
    tensors = weights.load(folder.final, run.final.sha256)
    fresh = planned.build()
    with torch.no_grad():
        before = [p.sum().item() for p in fresh.parameters()]
        weights.restore(fresh, tensors, CLASSIFIER, folder.final)
        assert [p.sum().item() for p in fresh.parameters()] != before


def test_history_and_checkpoints_tell_what_was_measured(tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned("fgm", tints, tmp_path, epochs=4, batch_size=8, validation=20)
    rows = tiny.epochs(planned)
    run, folder = read_run(folder_of(planned).path), folder_of(planned)
    assert [row.epoch for row in run.history] == [1, 2, 3, 4]
    assert list(run.history) == rows
    assert len(run.checkpoints) > 2
    assert [kept.step for kept in run.checkpoints] == sorted(kept.step for kept in run.checkpoints)
    assert [kept.final for kept in run.checkpoints] == [False] * (len(run.checkpoints) - 1) + [True]
    network = planned.build().eval()
    for kept in run.checkpoints:
        path = folder.path / kept.file
        weights.restore(network, weights.load(path, kept.sha256), CLASSIFIER, path)
        measured = accuracy(network, planned.data.validation, planned.spec.precision)
        assert measured == kept.accuracy
        assert kept.epoch == round(kept.step / 7, 3)
    rungs = {path.name for path in folder.rungs.iterdir()}
    assert rungs == {Path(kept.file).name for kept in run.checkpoints[:-1]}


def test_manifest_tells_what_was_asked_for_and_where_it_ran(tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned("fgm", tints, tmp_path, settings={"eps": 0.3, "through_attack": True})
    tiny.epochs(planned)
    content = json.loads(folder_of(planned).manifest.read_text())
    assert content["format"] == 1
    assert content["spec"]["settings"] == {"eps": 0.3, "through_attack": True}
    assert content["spec"]["data"] == planned.data.hash
    assert content["variant"] == "fgm (through_attack=true)"
    assert content["strength"] == {"setting": "eps", "stronger": "up"}
    assert content["environment"]["torch"] == version("torch")
    assert content["environment"]["device"]


def test_finished_run_is_skipped(tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned("baseline", tints, tmp_path)
    tiny.epochs(planned)
    before = tiny.snapshot(tmp_path)
    assert tiny.epochs(planned) == []
    assert tiny.snapshot(tmp_path) == before


def test_seed_decides_every_byte(tints: Path, tmp_path: Path) -> None:
    def final(runs: str, seed: int) -> str:
        return tiny.trained("pgn", tints, tmp_path / runs, seed=seed).final.sha256

    assert final("a", 3) == final("b", 3)
    assert final("a", 3) != final("a", 4)


def test_precision_is_recorded_and_followed(tints: Path, tmp_path: Path) -> None:
    full = tiny.trained("baseline", tints, tmp_path, precision="float32")
    half = tiny.trained("baseline", tints, tmp_path, precision="bf16")
    assert (full.spec.precision, half.spec.precision) == ("float32", "bf16")
    assert full.key != half.key
    assert full.final.sha256 != half.final.sha256


def test_training_leaves_global_generators_alone(tints: Path, tmp_path: Path) -> None:
    def states() -> bytes:
        own = torch.get_rng_state().numpy().tobytes()
        return own + pickle.dumps((random.getstate(), np.random.get_state()))

    planned = tiny.planned("pgd", tints, tmp_path)
    before = states()
    tiny.epochs(planned)
    assert states() == before


def test_generator_is_kept_with_the_final_checkpoint_alone(tints: Path, tmp_path: Path) -> None:
    run = tiny.trained("pgn", tints, tmp_path, epochs=2, batch_size=8)
    folder = tmp_path / run.key
    generator = Generator(run.shape, run.classes, width=0.05)
    before = generator.out.weight.clone()
    weights.restore(generator, weights.load(folder / run.final.file), "generator", folder)
    assert not torch.equal(generator.out.weight, before)
    assert len(run.checkpoints) > 1
    for kept in run.checkpoints[:-1]:
        assert {key.split(".")[0] for key in weights.load(folder / kept.file)} == {CLASSIFIER}


@dataclass
class Faulty(Defense):
    """Trains on clean images until `healthy` steps are done; then its loss is no number."""

    healthy: int = 100

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        self.healthy -= 1
        return F.cross_entropy(model(x), y) * (1 if self.healthy >= 0 else math.nan)


def test_divergence_names_the_epoch_and_keeps_the_last_good_state(
    tints: Path, tmp_path: Path
) -> None:
    planned = tiny.planned("baseline", tints, tmp_path / "failed", epochs=3)
    whole = tiny.planned("baseline", tints, tmp_path / "whole", epochs=3)
    folder, data = folder_of(planned), planned.data
    rows = train(planned.spec, Faulty(healthy=3), planned.build, data, planned.root)
    assert next(rows).epoch == 1
    with pytest.raises(Diverged, match=r"diverged in epoch 2 .*after epoch 1 is kept") as failed:
        next(rows)
    assert failed.value.exit_code == 1
    assert not folder.done.exists()
    assert len(folder.history.read_text().splitlines()) == 2
    rest = list(train(planned.spec, Faulty(), planned.build, data, planned.root))
    assert [row.epoch for row in rest] == [2, 3]
    list(train(whole.spec, Faulty(), whole.build, data, whole.root))
    assert folder.final.read_bytes() == folder_of(whole).final.read_bytes()


@dataclass
class Observing(Defense):
    """Perturbs by `length`, it says; above 1 its loss is no number."""

    length: float = 1.0

    def begin_epoch(self) -> None:
        """Do without what the contract has here."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        self.observe(torch.full((len(x), 1), self.length))
        return F.cross_entropy(model(x), y) * (1 if self.length <= 1 else math.nan)


def test_an_epoch_that_was_broken_off_is_in_no_mean(tints: Path, tmp_path: Path) -> None:
    planned, defense = tiny.planned("baseline", tints, tmp_path), Observing(length=3.0)
    again = (planned.spec, defense, planned.build, planned.data, planned.root)
    with pytest.raises(Diverged):
        list(train(*again))
    defense.length = 1.0
    assert [row.perturbation for row in train(*again)] == [1.0]


@pytest.mark.parametrize("steps", [1, 2])
def test_absurd_learning_rate_diverges(steps: int, tints: Path, tmp_path: Path) -> None:
    batch = 65 // steps + 1
    request = {"learning_rate": 1e38, "batch_size": batch, "settings": {"model.width": 0.1}}
    planned = tiny.planned("baseline", tints, tmp_path, epochs=2, precision="float32", **request)
    with pytest.raises(Diverged, match="diverged in epoch 1 "):
        tiny.epochs(planned)
    assert not folder_of(planned).final.exists()
    assert not folder_of(planned).state.exists()


def test_files_of_a_run_are_recorded_by_their_hash(tints: Path, tmp_path: Path) -> None:
    run = tiny.trained("baseline", tints, tmp_path)
    content = (tmp_path / run.key / "final.safetensors").read_bytes()
    assert files.sha256(content) == run.final.sha256


class Slow(nn.Module):
    """Takes its time when it is measured, none when it is trained."""

    PAUSE = 0.4
    measured = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 10)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            Slow.measured += 1
            time.sleep(self.PAUSE)
        return self.layer(x.mean(dim=(2, 3)))


def test_seconds_leave_out_measuring(tmp_path: Path) -> None:
    many = {"dataset": "digits", "batch_size": 2}
    planned = tiny.planned("baseline", None, tmp_path, rung=0.9, **many)
    tiny.epochs(tiny.planned("baseline", None, tmp_path, dataset="digits"))  # imports and all
    Slow.measured = 0
    started = time.perf_counter()
    rows = list(train(planned.spec, planned.defense, Slow, planned.data, planned.root))
    elapsed = time.perf_counter() - started
    assert Slow.measured >= 2  # at the end of the epoch and in its midst
    assert elapsed - sum(row.seconds for row in rows) >= Slow.measured * Slow.PAUSE


def test_stopwatch_is_due_once() -> None:
    clock = Stopwatch(torch.device("cpu"))
    clock.start()
    assert not clock.due(1000)
    assert clock.due(0)
