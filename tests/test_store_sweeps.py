"""Sweeps on a store, by processes with mirrors of their own; evaluation and report from its URL."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto")
pytest.importorskip("s3fs")

import tiny
from bucketing import Buckets
from robench import mirrors, progress
from robench.executors import worker
from robench.executors.executor import Task
from robench.executors.work import Work, training
from robench.runs import RunFolder, read_runs
from robench.store.opening import placed
from robench.sweeping import Ended, sweep
from stores import copied, elsewhere, made
from test_sweeping import requests, words

STATE = "state.safetensors"


def begun(host: Path, *asked: object) -> "subprocess.Popen[str]":
    """Begin a command as a host with mirrors of its own."""
    command = [sys.executable, "-m", "robench", *map(str, asked)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(host)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def on_store(data: Path, url: str, *more: object, **options: object) -> list[object]:
    """Return the words of a small sweep on a store."""
    return [*words(data, Path("runs"), defense="baseline", **options), "--runs", url, *more]


def test_two_hosts_share_a_sweep_and_a_killed_one_is_gone_on_from(
    buckets: Buckets, tints: Path, tmp_path: Path
) -> None:
    url = buckets.made()
    asked = on_store(tints, url, "--set", "seed=0,1,2,3", epochs=24)
    first = begun(tmp_path / "a", *asked)
    until(first, "  epoch 3/24")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (state,) = (one for one in buckets.objects(url) if one.endswith("/state.safetensors"))
    assert not [name for name in buckets.objects(url) if name.endswith("DONE")]
    status = tiny.robench("status", "--runs", url).out
    assert "1 stopped, 3 abandoned" in status
    second = begun(tmp_path / "b", *asked)
    seen = until(second, "  epoch ")
    here = tiny.robench(*asked)  # a third host, while the second is at work
    said = [seen + second.communicate()[0], here.out]
    assert {second.returncode, here.code} <= {0, 1}  # 1: cells were left to the other
    trained = [out.count("  trained, accuracy ") for out in said]
    assert min(trained) >= 1, said
    assert sum(trained) == 4
    lines = "".join(said).splitlines()
    assert len([line for line in lines if "  epoch 24/24" in line]) == 4
    assert len([line for line in lines if "  epoch 1/24" in line]) == 3  # one was gone on with
    there = copied(buckets, url, tmp_path / "copy")
    assert [len(run.history) for run in read_runs(there)] == [24] * 4
    local = tiny.planned("baseline", tints, tmp_path / "runs", epochs=24, seed=0)
    tiny.epochs(local)
    key = local.spec.key
    assert state == f"{key}/state.safetensors"
    assert made(RunFolder(there / key)) == made(RunFolder(tmp_path / "runs" / key))
    assert not [name for name in buckets.objects(url) if name.endswith((".lease", "/" + STATE))]


def until(process: "subprocess.Popen[str]", words: str) -> str:
    """Read what a command prints up to a line with `words`; return it."""
    assert process.stdout is not None
    said = ""
    while words not in (line := process.stdout.readline()):
        assert line, said
        said += line
    return said + line


def test_an_interrupt_says_how_to_go_on_and_leaves_no_lease(
    buckets: Buckets, tints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, stored = buckets.made(), progress.store

    def interrupted(*given: Any) -> None:
        stored(*given)
        if len(given[-1].history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress, "store", interrupted)
    ended = tiny.robench(*on_store(tints, url, epochs=4))
    assert ended.code == 130
    assert ended.err.lstrip().startswith(
        "Interrupted; to go on from what is stored: robench sweep "
    )
    assert ended.err.endswith(f" --runs {url}\n")
    names = buckets.objects(url)
    assert [name for name in names if name.endswith(STATE)]
    assert not [name for name in names if name.endswith((".lease", "DONE"))]


def test_a_worker_on_another_host_gets_the_url(
    buckets: Buckets, tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = buckets.made()
    wanted = tiny.planned("baseline", tints, placed(url), epochs=2)
    task = json.loads(json.dumps(asdict(training(wanted))))
    said = json.loads(json.dumps(worker.setup()))
    assert task["asked"]["request"]["runs"] == url
    assert task["asked"]["log"] == f"{url}/logs/{wanted.spec.key}.log"
    elsewhere(monkeypatch, tmp_path)
    monkeypatch.setattr(sys, "argv", ["robench"])
    worker.set_up(said)
    told = list(Work().done(Task(**task)))
    assert [one.get("ended") for one in told] == [None, None, "done"]
    there = buckets.objects(url)
    assert f"{wanted.spec.key}/DONE" in there
    assert b"epoch 2  loss" in there[f"logs/{wanted.spec.key}.log"]
    elsewhere(monkeypatch, tmp_path, "first")  # the host of the command, which reads the run
    asked = requests(["baseline"], tints, placed(url), {"epochs": [2]})
    (end,) = (one for one in sweep(asked) if isinstance(one, Ended))
    assert end.state == "there already"
    assert end.run is not None


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
