"""What is evaluated while others are trained: when each task may begin, and the same records."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tiny
from robench import archive
from robench.executors.executor import Task
from robench.executors.schedule import Schedule, Started
from robench.records import Run
from robench.runs import read_runs
from robench.studies import run_file
from robench.studies.ahead import Ahead, Node
from robench.sweeping import Cell, Ended
from studying import FINAL, MATCHED, asked, carried_out
from test_schedule import Chance

BOTH = {**MATCHED, "final": True}


@pytest.fixture(scope="module")
def alone(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where a run file was carried out by one process; not to be changed."""
    place = tmp_path_factory.mktemp("alone")
    ended = carried_out(tints, place)
    assert (ended.code, ended.err) == (0, "")
    return place


def ended(run: Run) -> Ended:
    """Return the end of a cell."""
    return Ended(Cell(run.spec, "", 1, 1), "trained", run)


def words(nodes: list[Node]) -> set[str]:
    """Return what tasks do, without of which run."""
    return {task.name.partition(" of ")[0].partition("/")[0] for task, _ in nodes}


def test_a_variant_is_matched_when_all_its_cells_have_ended(
    alone: Path, tints: Path, tmp_path: Path
) -> None:
    file = asked(tints, tmp_path)
    plans = run_file.plans_of(file)
    runs = {run.key: run for run in read_runs(alone / "runs")}
    ahead = Ahead(file.campaigns, plans)
    nodes = [list(ahead.after(ended(runs[one.spec.key]))) for one in plans]
    assert [one.spec.defense for one in plans] == ["baseline", "fgm", "fgm", "fgm"]
    all_of = {"cw white-box", "fgm white-box", "fgm black-box", "sources"}
    assert [words(one) for one in nodes] == [
        all_of,
        {"cw white-box"},
        {"cw white-box"},
        all_of - {"sources"},
    ]
    names = [task.name for group in nodes for task, _ in group]
    assert len(names) == len(set(names))
    assert sum("cw white-box" in name for name in names) == 4
    black = [(task, after) for group in nodes for task, after in group if "black-box" in task.name]
    assert len(black) == 3
    first = black[0][0].name
    source = next(name for name in names if name.startswith("sources/"))
    for task, after in black:
        white = task.name.replace("black-box", "white-box").rpartition(" ")[0]
        assert {one for one in after if one in (source, first)} == {source, first} - {task.name}
        assert any(one.startswith(white) for one in after)


def test_what_failed_holds_up_no_match(alone: Path, tints: Path, tmp_path: Path) -> None:
    file = asked(tints, tmp_path)
    plans = run_file.plans_of(file)
    runs = {run.key: run for run in read_runs(alone / "runs")}
    ahead = Ahead(file.campaigns, plans)
    busy = Ended(Cell(plans[0].spec, "", 1, 4), "busy", None, "elsewhere")
    assert list(ahead.after(busy)) == []
    failed = [Ended(Cell(one.spec, "", 1, 4), "failed", None, "") for one in plans[:3]]
    assert [list(ahead.after(one)) for one in failed] == [[], [], []]
    last = runs[plans[3].spec.key]
    assert "fgm black-box" in words(list(ahead.after(ended(last))))


@pytest.mark.parametrize("seed", range(5))
def test_in_any_order_the_same_tasks_are_done(
    seed: int, alone: Path, tints: Path, tmp_path: Path
) -> None:
    file = asked(tints, tmp_path)
    plans = run_file.plans_of(file)
    runs = {run.key: run for run in read_runs(alone / "runs")}
    ahead, schedule = Ahead(file.campaigns, plans), Schedule(Chance(seed))
    keys = [one.spec.key for one in plans]
    Chance(seed).draw.shuffle(keys)
    for key in keys:
        for task, after in ahead.after(ended(runs[key])):
            schedule.add(task, after)
    done = [one.task.name for one in schedule.steps() if isinstance(one, Started)]
    assert len(done) == 4 + 3 + 3 + 1


def records(runs: Path) -> dict[str, Any]:
    """Return all records of evaluations and matches, without what tells of time and machine."""
    found: dict[str, Any] = {}
    for path in (runs / archive.EVALUATIONS).glob("*.json"):
        content = json.loads(path.read_text())
        for name in ("seconds", "environment", "sha256"):
            del content[name]
        found[path.name] = (content, path.with_suffix(".npz").read_bytes())
    found["matches"] = archive.read(runs).matches
    found["runs"] = {run.key for run in read_runs(runs)}
    found["sources"] = {path.name for path in (runs / archive.SOURCES).iterdir()}
    return found


def test_two_workers_come_to_the_records_of_one_process(
    alone: Path, tints: Path, tmp_path: Path
) -> None:
    crew = ["--executor", "processes", "--workers", "2"]
    ended = carried_out(tints, tmp_path, *crew)
    assert (ended.code, ended.err) == (0, "")
    assert records(tmp_path / "runs") == records(alone / "runs")
    lines = ended.out.splitlines()
    assert sum(line.endswith("  done") for line in lines) == 4 + 3 + 3 + 1
    assert ended.out.count(" images  there already") == 10  # in their order, all was found
    assert [path.name for path in (tmp_path / "runs").glob("*/*.lease")] == []
    again = carried_out(tints, tmp_path, *crew)
    assert again.code == 0
    assert tiny.robench("report", "--out", tmp_path / "board", "--check").code == 0


def findings(runs: Path) -> dict[str, Any]:
    """Return what all audits found, without what tells of time and machine."""
    found = archive.read(runs).audits.values()
    return {one.key: (one.evaluations, one.findings, one.count) for one in found}


def test_workers_audit_and_find_what_one_process_finds(tints: Path, tmp_path: Path) -> None:
    asked = {"evaluate": [{**MATCHED, "audit": True}]}
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    alone = carried_out(tints, tmp_path / "one", **asked)
    crew = ["--executor", "processes", "--workers", "2"]
    ended = carried_out(tints, tmp_path / "two", *crew, **asked)
    assert (alone.code, ended.code, ended.err) == (0, 0, "")
    made = findings(tmp_path / "two" / "runs")
    assert len(made) == 3
    assert made == findings(tmp_path / "one" / "runs")
    _, _, after = ended.out.partition("audits of what matched: 3")
    assert len(re.findall(r"^  audit of \S+ step \d+  done$", after, re.MULTILINE)) == 3
    assert after.count("  audit: ") == alone.out.count("  audit: ") == 3
    again = carried_out(tints, tmp_path / "two", *crew, **asked)
    assert "  audit of " not in again.out
    assert len(re.findall(r"  audit: .*  there already$", again.out, re.MULTILINE)) == 3


def test_what_a_worker_cannot_audit_is_left_to_the_command(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(campaign: object, run: Run, step: int) -> Task:
        return Task(
            f"audit of {run.key} step {step} -", "no such kind", {"log": str(tmp_path / "log")}
        )

    monkeypatch.setattr("robench.studies.auditing.auditing", refuses)
    crew = ["--executor", "processes", "--workers", "2"]
    ended = carried_out(tints, tmp_path, *crew, evaluate=[{**MATCHED, "audit": True}])
    assert ended.code == 0
    assert ended.out.count("  failed: KeyError") == 3
    assert len(findings(tmp_path / "runs")) == 3


def test_a_final_that_matches_is_attacked_once(alone: Path, tints: Path, tmp_path: Path) -> None:
    file = asked(tints, tmp_path, evaluate=[BOTH, FINAL])
    plans = run_file.plans_of(file)
    runs = {run.key: run for run in read_runs(alone / "runs")}
    ahead = Ahead(file.campaigns, plans)
    names = [t.name for one in plans for t, _ in ahead.after(ended(runs[one.spec.key]))]
    assert len(names) == len(set(names))
