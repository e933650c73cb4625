"""A real Ray of two workers trains and attacks to the records of this process; skipped without."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robench.claim import leases
from robench.errors import UserError
from robench.executors.cluster import Cluster, Needs
from robench.runs import RunFolder, read_runs
from studying import MATCHED
from test_ahead import records
from test_workers import outcome

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: robench[ray]"
)
SEEDS = "0,1,2,3"
RAY = ["--executor", "ray", "--workers", "2"]


def grid(runs: Path, epochs: int) -> list[str]:
    """Return a sweep of twelve cells on digits."""
    return [
        *("sweep", "--defense", "baseline", "--defense", "fgm", "--set", "eps=0.1,0.3"),
        *("--set", f"seed={SEEDS}", "--dataset", "digits", "--epochs", str(epochs)),
        *("--width", "0.1", "--batch-size", "200", "--ema", "0.5", "--lr", "0.005"),
        *("--device", "cpu", "--runs", str(runs)),
    ]


def command(words: list[str]) -> list[str]:
    """Return how a shell would call robench."""
    return [sys.executable, "-m", "robench", *words]


@pytest.fixture(autouse=True)
def _as_important_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 by itself: on a busy machine, never


def bench(place: Path) -> Path:
    """Write a run file of the same twelve cells, whose networks are matched and attacked."""
    seeds = [int(seed) for seed in SEEDS.split(",")]
    content = {
        "title": "Twelve cells",
        "train": {
            **{"dataset": "digits", "epochs": 2, "model.width": 0.1, "batch_size": 200},
            **{"ema": 0.5, "lr": 0.005},
            "defenses": {"baseline": {"seed": seeds}, "fgm": {"eps": [0.1, 0.3], "seed": seeds}},
        },
        "evaluate": [{**MATCHED, "images": 20}],
    }
    path = place / "bench.yaml"
    path.write_text(json.dumps(content))  # which is YAML as well
    return path


def carried_out(place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Carry the run file out by the command."""
    words = ["run", str(bench(place)), "--runs", str(place / "runs"), "--out", str(place / "board")]
    whole = command([*words, "--device", "cpu", *more])
    return subprocess.run(whole, capture_output=True, text=True, check=False)


@needs_ray
def test_a_cluster_comes_to_the_records_of_this_process(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("alone", "ray")}
    for name, more in (("alone", []), ("ray", RAY)):
        places[name].mkdir()
        ended = carried_out(places[name], *more)
        assert ended.returncode == 0, ended.stderr
    ours, theirs = (place / "runs" for place in places.values())
    assert len(read_runs(theirs)) == 12
    made = records(theirs)
    assert made == records(ours)
    assert len(made["matches"]) == 8  # one strength of fgm for each seed
    for run in read_runs(ours):
        one, other = (outcome(RunFolder(runs / run.key)) for runs in (ours, theirs))
        for found in (one, other):
            del found["manifest"]["environment"]["command"]
            found["manifest"].pop("sha256")
        assert one == other


def _kill_one(runs: Path, killed: set[int]) -> set[int]:
    """Kill a worker that trains, if one does; those `killed` before may have left leases."""
    holders = [one.holder for path in runs.iterdir() for one in leases(path)]
    at_work = [one.process for one in holders if one and one.process not in killed][:1]
    for process in at_work:
        os.kill(process, signal.SIGKILL)
    return set(at_work)


@needs_ray
def test_workers_and_head_are_killed_and_nothing_is_lost(tmp_path: Path) -> None:
    words = command([*grid(tmp_path, 10), *RAY])
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as head:
        assert head.stdout is not None
        killed = set[int]()
        for line in head.stdout:
            if "  epoch 3/10" in line and len(killed) < 2:
                killed |= _kill_one(tmp_path, killed)
            if len(killed) == 2 and "  trained, accuracy" in line:
                break
        assert len(killed) == 2
        head.send_signal(signal.SIGKILL)
        head.wait()
    done = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("*/DONE")}
    assert done
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert len(read_runs(tmp_path)) == 12
    for name, stamp in done.items():
        assert (tmp_path / name / "DONE").stat().st_mtime_ns == stamp
    for folder in tmp_path.glob("*/DONE"):
        log = (tmp_path / "logs" / f"{folder.parent.name}.log").read_text().splitlines()
        assert [line.split()[2] for line in log].count("done") == 1


@needs_ray
@pytest.mark.parametrize("port", ["1", "70000"])
def test_an_address_without_a_cluster_is_told_of_at_once(port: str) -> None:
    with pytest.raises(UserError, match=rf"no Ray cluster at 127\.0\.0\.1:{port} \("):
        Cluster(f"127.0.0.1:{port}", Needs(0.0, 1.0, 2))


@needs_ray
def test_a_cluster_that_has_ended_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "ray" / "ray_current_cluster"
    left.parent.mkdir()
    left.write_text("127.0.0.1:1")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(UserError, match=r"no Ray cluster at 127\.0\.0\.1:1 \("):
        Cluster("auto", Needs(0.0, 1.0, 2))


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_it_is_said_how_to_have_it() -> None:
    with pytest.raises(UserError, match=r"needs Ray, which is not installed: pip install 'robench"):
        Cluster("", Needs(0.0, 1.0, 2))
