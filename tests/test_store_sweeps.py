"""Sweeps on a store, by processes with mirrors of their own; evaluation and report from its URL."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("moto")
pytest.importorskip("s3fs")

import tiny
from bucketing import Buckets
from robench import mirrors
from robench.executors.crew import Crew
from robench.runs import RunFolder, read_runs
from robench.store.opening import placed
from robench.sweeping import Ended, Passed, sweep
from stores import copied, elsewhere, made
from test_sweeping import requests, words


def begun(host: Path, *asked: object) -> "subprocess.Popen[str]":
    """Begin a command as a host with mirrors of its own."""
    command = [sys.executable, "-m", "robench", *map(str, asked)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(host)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True, env=environment)  # type: ignore[call-overload,no-any-return]


def on_store(data: Path, url: str, *more: object, **options: object) -> list[object]:
    """Return the words of a small sweep on a store."""
    return [*words(data, Path("runs"), defense="baseline", **options), "--runs", url, *more]


def test_two_hosts_share_a_sweep_and_a_killed_one_is_gone_on_from(
    buckets: Buckets, tints: Path, tmp_path: Path
) -> None:
    url = buckets.made()
    asked = on_store(tints, url, "--set", "seed=0,1,2,3", epochs=12)
    first = begun(tmp_path / "a", *asked)
    assert first.stdout is not None
    assert first.stderr is not None
    while "  epoch 3/12" not in first.stdout.readline():
        assert first.poll() is None, first.stderr.read()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (state,) = (one for one in buckets.objects(url) if one.endswith("/state.safetensors"))
    assert not [name for name in buckets.objects(url) if name.endswith("DONE")]
    status = tiny.robench("status", "--runs", url).out
    assert "stopped" in status
    assert "abandoned" in status
    both = [begun(tmp_path / name, *asked) for name in ("b", "c")]
    said = ["".join(one.communicate()) for one in both]
    assert all(one.returncode in (0, 1) for one in both), said  # 1: left the other's last cell
    assert 0 in (one.returncode for one in both) or "left to another process" in said[0]
    trained = [out.count("  trained, accuracy ") for out in said]
    assert sum(trained) == 4, said
    lines = "".join(said).splitlines()
    assert len([line for line in lines if "epoch 12/12" in line]) == 4
    firsts = len([line for line in lines if "  epoch 1/12" in line])
    assert firsts == 3  # the fourth was gone on with
    there = copied(buckets, url, tmp_path / "copy")
    assert [len(run.history) for run in read_runs(there)] == [12] * 4
    local = tiny.planned("baseline", tints, tmp_path / "runs", epochs=12, seed=0)
    tiny.epochs(local)
    key = local.spec.key
    assert state == f"{key}/state.safetensors"
    assert made(RunFolder(there / key)) == made(RunFolder(tmp_path / "runs" / key))
    assert not [
        name for name in buckets.objects(url) if name.endswith((".lease", "state.safetensors"))
    ]


def test_an_interrupt_says_how_to_go_on_and_leaves_no_lease(
    buckets: Buckets, tints: Path, tmp_path: Path
) -> None:
    url = buckets.made()
    asked = on_store(tints, url, epochs=500)
    command = begun(tmp_path / "a", *asked)
    assert command.stdout is not None
    while "  epoch 2/500" not in (line := command.stdout.readline()):
        assert line
    command.send_signal(signal.SIGINT)
    _, err = command.communicate()
    assert command.returncode == 130
    said = err.splitlines()[-1]
    assert said.startswith("Interrupted; to go on from what is stored: robench sweep ")
    assert f"--runs {url}" in said
    names = buckets.objects(url)
    assert [name for name in names if name.endswith("state.safetensors")]
    assert not [name for name in names if name.endswith((".lease", "DONE"))]


def test_workers_train_on_a_store(buckets: Buckets, tints: Path, tmp_path: Path) -> None:
    url = buckets.made()
    asked = requests(["baseline"], tints, placed(url), {"seed": [0, 1], "epochs": [2]})
    events = list(sweep(asked, crew=Crew("processes", workers=2)))
    assert [one.state for one in events if isinstance(one, Ended)] == ["trained"] * 2
    assert len([one for one in events if isinstance(one, Passed)]) == 4
    there = buckets.objects(url)
    assert len([name for name in there if name.endswith("/DONE")]) == 2
    assert len([name for name in there if name.startswith("logs/")]) == 2


def test_evaluation_and_report_come_from_the_store(
    buckets: Buckets, runs: Path, tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    for path in runs.rglob("*"):
        if path.is_file() and ".cache" not in path.parts:
            buckets.put(url, path.relative_to(runs).as_posix(), path.read_bytes())
    attacked = ["eval", "--matched-accuracy", "0.6", "--tolerance", "0.4", "--attack", "fgm"]
    attacked += ["--images", "9", "--no-audit", "--device", "cpu", "--data-dir", str(tints)]
    here = tiny.robench(*attacked, "--runs", runs)
    there = tiny.robench(*attacked, "--runs", url)
    assert (here.code, here.err) == (there.code, there.err) == (0, "")
    assert f"records are under {url}; " in there.out
    copy = copied(buckets, url, tmp_path / "copy")
    for kind in ("evaluations/*.npz", "matches/*.json"):
        names = sorted(path.relative_to(runs) for path in runs.glob(kind))
        assert names
        assert [(copy / one).read_bytes() for one in names] == [
            (runs / one).read_bytes() for one in names
        ]
    elsewhere(monkeypatch, tmp_path)
    ended = tiny.robench("report", "--runs", url, "--out", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "out" / "README.md").is_file()
    assert not list(placed(url).rglob("*.safetensors"))  # a report needs none
    again = tiny.robench(*attacked, "--runs", url)
    assert again.code == 0
    assert again.out.count("there already") == 4
    row = sorted(path.parent.name for path in runs.glob("*/DONE"))[0]
    verified = tiny.robench("verify", row, "--runs", url, "--data-dir", tints, "--device", "cpu")
    assert (verified.code, verified.err) == (0, "")
    assert list((placed(url) / row).rglob("*.safetensors"))  # fetched for this
    assert mirrors.named(placed(url) / row) == f"{url}/{row}"
