"""Worker processes: they train what this process would, and a dead one costs its epoch alone."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import tiny
from robench.claim import leases
from robench.errors import UserError
from robench.executors.crew import Crew
from robench.executors.places import places
from robench.planning import Request
from robench.records import Setting
from robench.runs import RunFolder, read_runs
from robench.sweeping import Died, Ended, Passed, sweep
from test_sweeping import requests, swept, words

TWO = Crew("processes", workers=2)
MOODY = """
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robench_defenses.baseline import Baseline


@dataclass
class Moody(Baseline):
    mood: Literal["calm", "dies", "doomed", "breaks"] = "calm"

    def begin_epoch(self):
        super().begin_epoch()
        print(f"I am {self.mood}")
        with Path(f"{self.mood}.txt").open("a") as epochs:
            epochs.write("x")
        begun = Path(f"{self.mood}.txt").stat().st_size
        if self.mood == "doomed" or (self.mood == "dies" and begun in (2, 3)):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mood == "breaks":
            raise ZeroDivisionError("a mistake")
"""


def outcome(folder: RunFolder) -> dict[str, Any]:
    """Return all that a run is made of, up to the seconds it took."""
    run = {one.key: one for one in read_runs(folder.path.parent)}[folder.path.name]
    epochs = [(row.epoch, row.loss, row.accuracy, row.perturbation) for row in run.history]
    weights = {path.name: path.read_bytes() for path in folder.path.rglob("*.safetensors")}
    return {
        "epochs": epochs,
        "weights": weights,
        "manifest": json.loads(folder.manifest.read_text()),
        "checkpoints": folder.checkpoints.read_text(),
    }


def test_workers_train_what_this_process_does(tints: Path, tmp_path: Path) -> None:
    values: Mapping[str, list[Setting]] = {"eps": [0.1, 0.3], "seed": [0, 1], "epochs": [2]}
    alone, crew = (
        requests(["baseline", "fgm"], tints, tmp_path / name, values) for name in ("alone", "crew")
    )
    _, expected = swept(alone)
    events = list(sweep(crew, crew=TWO))
    ends = sorted((one for one in events if isinstance(one, Ended)), key=lambda e: e.cell.number)
    assert [one.state for one in ends] == ["trained"] * 6
    assert [one.cell.label for one in ends] == [one.cell.label for one in expected]
    for one in ends:
        places = [RunFolder(tmp_path / name / one.cell.spec.key) for name in ("alone", "crew")]
        assert outcome(places[0]) == outcome(places[1])
    passed = [(one.cell.number, one.epoch.epoch) for one in events if isinstance(one, Passed)]
    assert sorted(passed) == [(cell, epoch) for cell in range(1, 7) for epoch in (1, 2)]
    again = list(sweep(crew, crew=TWO))  # which needs no worker
    assert [one.state for one in again if isinstance(one, Ended)] == ["there already"] * 6
    assert len(again) == 7


def test_what_befalls_a_worker_befalls_its_cell_alone(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("moody.py").write_text(MOODY)
    moods: list[Setting] = ["doomed", "dies", "breaks", "calm"]
    asked = requests(["./moody.py"], tints, Path("runs"), {"mood": moods, "epochs": [3]})
    events = list(sweep(asked, crew=TWO))
    ends = {one.cell.spec.settings["mood"]: one for one in events if isinstance(one, Ended)}
    assert {mood: one.state for mood, one in ends.items()} == {
        **{"doomed": "failed", "dies": "trained", "breaks": "failed", "calm": "trained"},
    }
    deaths = [(e.cell.spec.settings["mood"], e.again) for e in events if isinstance(e, Died)]
    assert sorted(deaths) == [
        *(("dies", True), ("dies", True)),
        *(("doomed", False), ("doomed", True), ("doomed", True)),
    ]
    assert ends["doomed"].reason == "its worker ended by signal 9"
    assert ends["breaks"].reason.startswith("ZeroDivisionError: a mistake; details in ")
    passed = [one for one in events if isinstance(one, Passed)]
    of = [e.epoch.epoch for e in passed if e.cell.spec.settings["mood"] == "dies"]
    assert of == [1, 2, 3]  # each once: it went on after the first
    logs = {m: Path("runs/logs", f"{e.cell.spec.key}.log").read_text() for m, e in ends.items()}
    assert logs["calm"].count("I am calm") == 3
    assert logs["breaks"].splitlines()[-1] == "ZeroDivisionError: a mistake"
    assert "Traceback (most recent call last)" in logs["breaks"]


def test_a_killed_command_is_gone_on_with_and_two_share_the_work(
    tints: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    asked = words(tints, runs, "--set", "seed=0,1,2,3", defense="baseline", epochs=40)
    command = [sys.executable, "-m", "robench", *map(str, asked), "--executor", "processes"]
    command += ["--workers", "2"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    while "  epoch 2/40" not in first.stdout.readline():
        assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    assert not list(runs.glob("*/DONE"))
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate()[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    trained = [out.count("  trained, accuracy ") for out in said]
    assert sum(trained) == 4
    for folder in runs.glob("*/DONE"):
        log = (runs / "logs" / f"{folder.parent.name}.log").read_text().splitlines()
        told = [int(line.split()[3]) for line in log if "  epoch " in line]
        assert told == sorted(set(told))  # none was trained twice
        assert len(told) >= 39  # one may have been stored and not yet told of
        assert leases(folder.parent) == []
    trained_runs = read_runs(runs)
    assert len(trained_runs) == 4
    for run in trained_runs:
        assert [row.epoch for row in run.history] == list(range(1, 41))


def test_cores_are_shared_out() -> None:
    cores = len(os.sched_getaffinity(0))
    found = places("cpu", 2 * cores, 1.0, {"A": "b"})
    assert found == [{"A": "b", "OMP_NUM_THREADS": "1"}] * (2 * cores)
    assert places("cpu", 1, 1.0, {}) == [{"OMP_NUM_THREADS": str(cores)}]
    assert len(places("cpu", None, 1.0, {})) == cores
    assert places("cuda:1", 2, 1.0, {"OMP_NUM_THREADS": "3"}) == [{"OMP_NUM_THREADS": "3"}] * 2


def test_gpus_are_shared_out() -> None:
    there = {"CUDA_VISIBLE_DEVICES": "3,5"}

    def given(workers: int | None, fraction: float) -> list[str]:
        return [one["CUDA_VISIBLE_DEVICES"] for one in places("auto", workers, fraction, there)]

    assert given(None, 1.0) == ["3", "5"]
    assert given(None, 0.4) == ["3", "5", "3", "5"]
    assert given(3, 0.5) == ["3", "5", "3"]
    assert len(given(None, 0.1)) == 20
    with pytest.raises(UserError, match=r"--workers 3 on 2 GPUs with 1 on each .* room for 2"):
        given(3, 1.0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--executor", "processes", "--workers", "0"], "--workers 0 is not at least 1"),
        (["--executor", "processes", "--gpu-fraction", "0"], "--gpu-fraction 0 is not above 0"),
        (["--executor", "processes", "--gpu-fraction", "1.5"], "--gpu-fraction 1.5 is not above"),
        (["--executor", "processes", "--retries", "-1"], "--retries -1 is not at least 0"),
        (["--workers", "2"], "--workers is for several processes; say --executor processes"),
    ],
)
def test_a_mistake_is_one_line(more: list[object], said: str, tints: Path, tmp_path: Path) -> None:
    ended = tiny.robench(*words(tints, tmp_path / "runs", *more, defense="baseline"))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"Error: {said}")
    assert not (tmp_path / "runs").exists()


def test_a_request_is_the_same_after_its_journey(tmp_path: Path) -> None:
    from robench.executors.work import as_json, from_json

    asked = Request("fgm", {"eps": 0.1, "model.width": "0.5"}, runs=tmp_path, seed=3, compile=True)
    assert from_json(Request, json.loads(json.dumps(as_json(asked)))) == asked
    there = Request("fgm", data_dir=tmp_path / "data", runs=tmp_path)
    assert from_json(Request, json.loads(json.dumps(as_json(there)))) == there


RECIPE = """
title: "Two runs"
section: "3"
claim: "Nothing."
dataset: folder
train:
  both: [{defense: baseline, learning_rate: 0.005}, {defense: fgm, learning_rate: [0.005, 1.0e+9]}]
show:
  - {show: accuracy-norm, of: both, attacks: [{attack: fgm}], label: strength}
"""


def test_a_recipe_s_runs_are_trained_by_workers(tints: Path, tmp_path: Path) -> None:
    recipe, runs = tmp_path / "mine.yaml", tmp_path / "runs"
    recipe.write_text(RECIPE)
    small = {"width": 0.1, "epochs": 2, "batch_size": 36, "ema": 0.5, "images": 9}
    pairs = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    asked = ["reproduce", recipe, "--scale", "smoke", *pairs, "--data-dir", tints, "--runs", runs]
    where = ["--device", "cpu", "--out", tmp_path / "out"]
    crew = ["--executor", "processes", "--workers", "2"]
    ended = tiny.robench(*asked, *where, *crew)
    assert ended.code == 1
    told = [line for line in ended.err.splitlines() if line]
    assert len(told) == 1  # the one that diverged, tried once and told of once
    assert told[0].startswith("not trained: fgm")
    assert "training diverged in epoch 1" in told[0]
    assert ended.out.count("  trained, accuracy ") == 2
    assert "    epoch " not in ended.out  # nothing was left to this process
    assert len(read_runs(runs)) == 2
