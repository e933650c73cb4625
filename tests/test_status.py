"""`robench status`: what it says of runs that are done, are being trained, or have stopped."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

import tiny
from robench.cli.status import duration
from robench.executors.log import note
from robench.pending import PLANS, Intended, announced
from robench.records import Epoch, Setting
from robench.runs import write_json
from robench.sweeping import Begun, Ended, Event, Passed, Planned, sweep
from test_sweeping import requests


def test_each_state_is_told(tints: Path, tmp_path: Path) -> None:
    done = tiny.trained("baseline", tints, tmp_path)
    list(sweep(requests(["baseline"], tints, tmp_path, {"lr": [1e9], "seed": [5]})))
    running = tiny.planned("fgm", tints, tmp_path, epochs=4)
    with closing(cast(Generator[Epoch, None, None], tiny.stepwise(running))) as epochs:
        seconds = next(epochs).seconds
        ended = tiny.robench("status", "--runs", tmp_path, "--json")
        plain = tiny.robench("status", "--runs", tmp_path)
    found = {one["run"]: one for one in json.loads(ended.out)}
    assert (ended.code, len(found)) == (0, 3)
    assert found[done.key]["state"] == "done"
    assert (found[done.key]["epoch"], found[done.key]["epochs"]) == (1, 1)
    one = found.pop(running.spec.key)
    assert (one["state"], one["epoch"], one["epochs"]) == ("running", 1, 4)
    assert one["left"] == 3 * seconds
    assert one["holder"].startswith(f"process {os.getpid()} on ")
    assert one["device"] == done.environment["device"]
    del found[done.key]
    (stopped,) = found.values()
    assert stopped["words"] == "baseline seed 5"
    assert (stopped["state"], stopped["left"]) == ("stopped", None)
    assert stopped["note"].startswith("failed: training diverged in epoch 1 ")
    lines = plain.out.splitlines()
    assert lines[0].split() == ["run", "cell", "state", "epoch", "left", "device", "by"]
    told = {line.split()[0]: line for line in lines[1:3]}
    assert f"{stopped['run']}  baseline seed 5  stopped  0/1" in told[stopped["run"]]
    assert " running  1/4 " in told[running.spec.key]
    assert lines[-1] == "1 running, 1 stopped, 1 done"
    assert done.key not in plain.out
    assert done.key in tiny.robench("status", "--runs", tmp_path, "--all").out


def test_reading_changes_nothing_and_takes_what_it_can(tints: Path, tmp_path: Path) -> None:
    run = tiny.trained("baseline", tints, tmp_path)
    (tmp_path / run.key / "manifest.json").write_text("{")
    (tmp_path / run.key / "history.csv").write_text("damaged")
    before = tiny.snapshot(tmp_path)
    (found,) = json.loads(tiny.robench("status", "--runs", tmp_path, "--json").out)
    assert (found["state"], found["epoch"], found["epochs"]) == ("done", 0, 0)
    assert tiny.snapshot(tmp_path) == before


def test_a_folder_without_runs(tmp_path: Path) -> None:
    assert tiny.robench("status", "--runs", tmp_path).out == f"no runs under {tmp_path}\n"
    ended = tiny.robench("status", "--runs", tmp_path / "none")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert ended.err.startswith(f"Error: no folder {tmp_path / 'none'}; say --runs")


def test_times_are_told_in_hours() -> None:
    assert [duration(one) for one in (0.4, 59.6, 3600.0, 90061.0)] == [
        *("0:00:00", "0:01:00", "1:00:00", "25:01:01"),
    ]


def told(runs: Path) -> dict[str, list[str]]:
    """Return what runs there are in each state, in words, as `robench status --json` has them."""
    found: dict[str, list[str]] = {}
    for one in json.loads(tiny.robench("status", "--runs", runs, "--json").out):
        found.setdefault(one["state"], []).append(one["words"])
    return found


def test_what_was_not_begun_waits_while_its_command_lives(tints: Path, tmp_path: Path) -> None:
    values: dict[str, list[Setting]] = {"eps": [0.1, 0.2], "seed": [0, 1]}
    names = [f"fgm eps={eps} seed {seed}" for eps in (0.1, 0.2) for seed in (0, 1)]
    narrow = requests(["fgm"], tints, tmp_path, values)
    with closing(cast(Generator[Event, None, None], sweep(narrow))) as events:
        assert [type(next(events)) for _ in range(3)] == [Planned, Begun, Passed]
        assert told(tmp_path) == {"running": names[:1], "waiting": names[1:]}
        plain = tiny.robench("status", "--runs", tmp_path).out.splitlines()
        assert plain[-1] == "1 running, 3 waiting"
        assert "  fgm eps=0.2 seed 1  waiting  0/1" in plain[4]
    assert told(tmp_path) == {"stopped": names[:1], "abandoned": names[1:]}
    plain = tiny.robench("status", "--runs", tmp_path).out.splitlines()
    assert plain[-2:] == [
        "1 stopped, 3 abandoned",
        "abandoned: the command that was to train them has ended; given again, it goes on",
    ]
    wider = requests(["baseline", "fgm"], tints, tmp_path, values)
    with closing(cast(Generator[Event, None, None], sweep(wider))) as events:
        next(events)
        found = told(tmp_path)
        assert len(found["waiting"]) == 5
        assert found["stopped"] == names[:1]
        assert len(list((tmp_path / PLANS).iterdir())) == 1  # the narrow one has gone
        assert [one.state for one in events if isinstance(one, Ended)] == ["trained"] * 6
    assert told(tmp_path) == {"done": [""] * 6}
    assert list((tmp_path / PLANS).iterdir()) == []


def test_the_plan_of_a_killed_command_is_abandoned(tmp_path: Path) -> None:
    cells = [Intended(f"run-{number:02}", f"cell {number}", 5) for number in range(30)]
    code = (
        "import os, pathlib; from robench.pending import *\n"
        f"with announced(pathlib.Path({str(tmp_path)!r}), {cells!r}): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert told(tmp_path) == {"abandoned": [one.words for one in cells]}
    with announced(tmp_path, cells[:3]):  # one that is to do less does not take its place
        assert told(tmp_path) == {
            "waiting": [one.words for one in cells[:3]],
            "abandoned": [one.words for one in cells[3:]],
        }
        lines = tiny.robench("status", "--runs", tmp_path).out.splitlines()
        assert len([line for line in lines if "0/5" in line]) == 20
        assert "and 10 more that were not begun (--all)" in lines
        whole = tiny.robench("status", "--runs", tmp_path, "--all").out
        assert whole.count("0/5") == 30
    assert told(tmp_path) == {"abandoned": [one.words for one in cells]}


def test_what_failed_before_it_had_a_folder_is_not_waiting(tmp_path: Path) -> None:
    note(tmp_path / "logs" / "a-run.log", "failed: its images are others")
    with announced(tmp_path, [Intended("a-run", "pgn seed 0", 5)]):
        assert told(tmp_path) == {"stopped": ["pgn seed 0"]}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("run", ["../a-run", "..", "", "a/b"])
def test_a_plan_that_cannot_be_read_is_left_out_and_told_of(run: str, tmp_path: Path) -> None:
    plan = {"holder": None, "cells": [{"run": run, "words": "", "epochs": 1}]}
    write_json(tmp_path / PLANS / "a-plan.json", plan)
    ended = tiny.robench("status", "--runs", tmp_path)
    assert (ended.code, ended.out) == (0, f"no runs under {tmp_path}\n")
    assert ended.err.startswith(f"Warning: a plan is left out: {tmp_path / PLANS / 'a-plan.json'}")
    (tmp_path / PLANS / "a-plan.json").write_text("{")
    again = tiny.robench("status", "--runs", tmp_path)
    assert (again.code, again.err.count("\n")) == (0, 1)


def test_the_plan_of_one_killed_at_its_very_end_goes_with_the_next(
    tints: Path, tmp_path: Path
) -> None:
    asked = requests(["fgm"], tints, tmp_path, {"seed": [0]})
    with closing(cast(Generator[Event, None, None], sweep(asked))) as events:
        next(events)
        (plan,) = (tmp_path / PLANS).iterdir()
        kept = plan.read_bytes()
        assert len(list(events)) > 1
    assert not plan.exists()
    plan.write_bytes(kept)
    assert [one.state for one in sweep(asked) if isinstance(one, Ended)] == ["there already"]
    assert not plan.exists()
