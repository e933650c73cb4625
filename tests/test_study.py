"""Run files: what they train, attack and write, what they skip, what they refuse."""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import robench
import tiny
from robench import archive
from robench.claim import Claim, claimed
from robench.errors import RunFailed, UserError
from robench.records import Audit, Epoch, Evaluation, Match
from robench.runs import read_runs
from robench.studies import run_file
from robench.studies.conducting import conduct
from robench.studies.events import Auditing, Evaluated, Evaluating, Event, Waiting
from robench.study_record import Study
from robench.sweeping import Begun, Ended, Passed, Planned
from studying import FINAL, MATCHED, TRAIN, asked, carried_out, written

DIVERGES = """
from dataclasses import dataclass

from robench_defenses.fgm import FGM


@dataclass
class Diverges(FGM):
    def loss(self, model, x, y):
        return super().loss(model, x, y) * float("nan")
"""


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    """Return the events, and steps of evaluations, of one kind."""
    steps = [event.step if isinstance(event, Evaluated) else event for event in events]
    return [step for step in steps if isinstance(step, kind)]


@pytest.fixture(scope="module")
def done(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Return where a run file was carried out, and what that printed; not to be changed."""
    place = tmp_path_factory.mktemp("done")
    ended = carried_out(tints, place)
    assert (ended.code, ended.err) == (0, "")
    yield place, ended.out
    assert not list(place.rglob("*.partial"))


def test_one_command_trains_attacks_and_reports(done: tuple[Path, str]) -> None:
    place, said = done
    found = archive.read(place / "runs")
    cells = {(run.spec.defense, run.spec.settings.get("eps"), run.spec.seed) for run in read(place)}
    assert cells == {("baseline", None, 0), *(("fgm", *one) for one in ((0.1, 0), (0.3, 0)))} | {
        ("fgm", 0.3, 1)
    }
    assert {(m.defense, m.seed) for m in found.matches} == {
        *(("baseline", 0), ("fgm", 0), ("fgm", 1)),
    }
    records = [result.evaluation for result in found.results]
    by_attack = {name: [one for one in records if one.attack == name] for name in ("fgm", "cw")}
    assert [one.white_box for one in by_attack["fgm"]].count(True) == 3
    assert {(one.count, one.settings["steps"]) for one in by_attack["cw"]} == {(3, 2)}
    assert {(one.run, one.step) for one in by_attack["cw"]} == {
        (run.key, run.final.step) for run in read(place)
    }
    assert len(records) == 6 + 4
    lines = said.splitlines()
    assert lines[-1] == str(place / "board" / "README.md")
    assert "evaluation 1/2  matched at 0.5: fgm" in lines
    assert "evaluation 2/2  final checkpoints: cw" in lines
    assert [line.split()[-1] for line in lines if line.startswith("fgm eps=")] == ["trained"] * 3
    assert tiny.robench("report", "--out", place / "board", "--check").code == 0


def read(place: Path) -> list[Any]:
    """Return the runs of a place."""
    return read_runs(place / "runs")


def test_the_record_says_what_was_asked(done: tuple[Path, str]) -> None:
    place, _ = done
    (study,) = archive.read(place / "runs").studies
    assert (study.name, study.title) == ("tints", "Two defenses on tints")
    assert study.published == "cifar10"
    assert study.file == (place / "tints.yaml").read_text()
    assert {study.protocol} == {run.spec.protocol for run in read(place)}
    assert study.environment["command"].startswith("robench run ")
    assert archive.read(place / "board" / "records").studies == (study,)


def test_a_second_call_makes_nothing_again(done: tuple[Path, str], tints: Path) -> None:
    place, _ = done

    def here() -> dict[str, object]:
        made = {**tiny.snapshot(place / "runs"), **tiny.snapshot(place / "board")}
        return {k: v for k, v in made.items() if not k.startswith(("matches", "studies"))}

    before = here()
    ended = carried_out(tints, place)
    assert (ended.code, ended.err) == (0, "")
    assert here() == before
    assert ended.out.count("there already, accuracy ") == 4
    assert ended.out.count(" images  there already") == ended.out.count(" images  ") == 10
    assert "epoch 1" not in ended.out


def test_an_interrupted_call_goes_on(tints: Path, tmp_path: Path) -> None:
    first = conduct(asked(tints, tmp_path))
    for event in first:
        if isinstance(event, Evaluated) and isinstance(event.step, Evaluation):
            break
    first.close()  # type: ignore[attr-defined]
    (made,) = archive.read(tmp_path / "runs").results
    again = list(conduct(asked(tints, tmp_path)))
    assert {one.state for one in of(Ended, again)} == {"there already"}
    assert not of(Epoch, again)  # the source is there, too
    old = [e.step for e in again if isinstance(e, Evaluated) and not e.new]
    assert [one.key for one in old if isinstance(one, Evaluation)] == [made.evaluation.key]


def test_other_runs_in_the_folder_change_nothing(
    done: tuple[Path, str], tints: Path, tmp_path: Path
) -> None:
    tiny.trained("fgm", tints, tmp_path / "runs", settings={"eps": 0.2})
    events = list(conduct(asked(tints, tmp_path)))
    own = archive.read(done[0] / "runs")
    assert {run.spec.protocol for run in read(tmp_path)} == {own.studies[0].protocol}
    found = archive.read(tmp_path / "runs")
    assert found.matches == own.matches
    assert {r.evaluation.key for r in found.results} == {r.evaluation.key for r in own.results}
    assert len(of(Ended, events)) == 4
    assert len(read(tmp_path)) == 5


def test_audits_come_last_and_once(tints: Path, tmp_path: Path) -> None:
    train = {**TRAIN, "defenses": {"fgm": {"eps": [0.1, 0.3]}}}
    audited = {**MATCHED, "audit": True}
    events = list(conduct(asked(tints, tmp_path, train=train, evaluate=[audited, FINAL])))
    (auditing,) = of(Auditing, events)
    (match,) = of(Match, events)
    after = events[events.index(auditing) + 1 :]
    (audit,) = of(Audit, after)
    assert (auditing.count, len(after)) == (1, 1)
    assert (audit.run, audit.step) == (match.run, match.step)
    assert {key.partition("-")[0] for key in audit.evaluations} == {"fgm", "cw"}
    more = {**FINAL, "attack": "deepfool", "set": {}}
    events = list(conduct(asked(tints, tmp_path, train=train, evaluate=[MATCHED, more])))
    (again,) = of(Audit, events)  # nothing asks for it, but the old one is outdated
    assert {key.partition("-")[0] for key in again.evaluations} == {"fgm", "cw", "deepfool"}


def test_what_fails_is_told_and_the_page_shows_the_rest(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("diverges.py").write_text(DIVERGES)
    train = {**TRAIN, "defenses": {"./diverges.py": {}, "baseline": {}}}
    evaluate = [{**MATCHED, "matched_accuracy": 0.111, "tolerance": 1e-6}, MATCHED, FINAL]
    ended = carried_out(tints, tmp_path, train=train, evaluate=evaluate)
    assert ended.code == 1
    told = ended.err.splitlines()
    assert told[0].startswith("failed: diverges:Diverges seed 0: training diverged in epoch 1 ")
    assert told[1] == "missed: nothing matches at 0.111; the lines above say what to train"
    assert told[2] == (
        "Error: 1 of 2 runs failed; missed in the evaluations: 1; the lines above say why, the "
        "page shows what there is"
    )
    assert ended.out.splitlines()[-1] == str(tmp_path / "board" / "README.md")
    assert "baseline" in (tmp_path / "board" / "README.md").read_text()
    assert {r.evaluation.attack for r in archive.read(tmp_path / "runs").results} == {"fgm", "cw"}


def test_where_every_run_fails_nothing_is_evaluated(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("diverges.py").write_text(DIVERGES)
    train = {**TRAIN, "defenses": {"./diverges.py": {}}}
    tiny.trained("baseline", tints, tmp_path / "runs")
    ended = carried_out(tints, tmp_path, train=train)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("Error: 1 of 1 runs failed; the lines above")
    assert "evaluation 1/2" not in ended.out
    assert (tmp_path / "board" / "README.md").exists()


def test_what_another_process_works_on_is_waited_for(tints: Path, tmp_path: Path) -> None:
    file = asked(tints, tmp_path, train={**TRAIN, "defenses": {"baseline": {"seed": [0, 1]}}})
    first = run_file.plans_of(file)[0].spec.key
    held: list[AbstractContextManager[Claim]] = []
    for name in (first, "studies"):
        held.append(claimed(tmp_path / "runs" / name))
        held[-1].__enter__()
    waits: list[int] = []

    def wait() -> None:
        waits.append(len(held))
        held.pop(0).__exit__(None, None, None)

    events = list(conduct(file, wait=wait))
    ends = [(one.cell.spec.seed, one.state) for one in of(Ended, events)]
    assert ends == [(0, "busy"), (1, "trained"), (0, "trained")]
    (waiting,) = of(Waiting, events)
    assert f"studies is being worked on by process {os.getpid()} on " in waiting.reason
    assert waits == [2, 1]
    kinds = [type(event) for event in events if not isinstance(event, Passed | Evaluated)]
    assert kinds == [
        *(Planned, Begun, Ended, Begun, Ended, Begun, Ended),
        *(Study, Waiting, Evaluating, Evaluating),
    ]


def test_the_python_interface(done: tuple[Path, str], tints: Path, tmp_path: Path) -> None:
    place, _ = done
    where: dict[str, Any] = {"data_dir": str(tints), "device": "cpu"}
    page = robench.study(str(place / "tints.yaml"), str(place / "runs"), tmp_path, **where)
    assert page == tmp_path / "README.md"
    assert page.read_bytes() == (place / "board" / "README.md").read_bytes()
    missing = [{**MATCHED, "matched_accuracy": 0.111, "tolerance": 1e-6}]
    file = written(tmp_path, evaluate=missing)
    with pytest.raises(RunFailed, match=r"^nothing matches at 0\.111; .*README\.md\)$"):
        robench.study(file, place / "runs", tmp_path, **where)


def test_a_study_that_is_no_record_is_refused(done: tuple[Path, str], tmp_path: Path) -> None:
    path = tmp_path / "studies" / "other.json"
    path.parent.mkdir()
    content = json.loads((done[0] / "runs" / "studies" / "tints.json").read_text())
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"other\.json describes the study tints; delete it"):
        archive.read(tmp_path)
