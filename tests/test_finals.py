"""Final checkpoints attacked for themselves, and evaluations of some runs of a folder alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tiny
from robench import archive
from robench.campaign import Campaign, Event, conduct
from robench.errors import RunFailed, UserError
from robench.records import Audit, Evaluation, Match
from robench.runs import read_runs

MOST = 0.999
"""A target that a final accuracy of 1 is near."""


def campaign(runs: Path, data: Path, **more: Any) -> Campaign:
    """Return a campaign of the final checkpoints under one quick attack; `more` overrides."""
    given = {"targets": (), "finals": True, "attacks": ("fgm",), "images": 3, **more}
    return Campaign(data_dir=data, runs=runs, device="cpu", **given)


def of(kind: type[Any], events: Iterator[tuple[Event, bool]]) -> list[Any]:
    """Return the events of one kind."""
    return [event for event, _ in events if isinstance(event, kind)]


def test_finals_are_attacked_whether_matched_or_not(runs: Path, tints: Path) -> None:
    asked = campaign(runs, tints)
    events = list(conduct(asked))
    finals = {run.key: run.final for run in read_runs(runs)}
    assert [(event.run, event.step) for event in of(Evaluation, iter(events))] == [
        (key, finals[key].step) for key in sorted(finals)
    ]
    found = archive.read(runs)
    records = [result.evaluation for result in found.results]
    assert {record.weights for record in records} == {final.sha256 for final in finals.values()}
    assert all(record.white_box for record in records)
    assert (found.matches, found.audits, found.sources) == ((), {}, {})
    assert [new for _, new in conduct(asked)] == [False, False]


@pytest.mark.parametrize("which", [0, -1])
def test_finals_beside_a_target_are_attacked_once(which: int, runs: Path, tints: Path) -> None:
    target = min(read_runs(runs)[0].checkpoints[which].accuracy, MOST)
    asked = campaign(runs, tints, targets=(target,), tolerance=1 - MOST, audit=False)
    records = of(Evaluation, conduct(asked))
    matched = {(m.run, m.step) for m in archive.read(runs).matches if m.how != "unmatched"}
    both = {(run.key, run.final.step) for run in read_runs(runs)} | matched
    assert matched
    assert {(one.run, one.step) for one in records if one.white_box} == both
    assert {(one.run, one.step) for one in records if not one.white_box} == matched
    assert len(records) == len(both) + len(matched)


def test_an_audit_follows_what_attacks_its_checkpoint_later(runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    target = {"targets": (min(run.final.accuracy, MOST),), "tolerance": 1 - MOST}
    list(conduct(campaign(runs, tints, **target, finals=False, only={run.key})))
    before = archive.read(runs).audits
    assert before.keys() == {run.final.sha256}
    (audit,) = of(Audit, conduct(campaign(runs, tints, attacks=("mim",))))
    assert audit.weights == run.final.sha256
    assert set(audit.evaluations) > set(before[audit.weights].evaluations)


def test_finals_are_attacked_where_no_target_is_met(runs: Path, tints: Path) -> None:
    given = {"targets": (0.123,), "tolerance": 0.001}
    with pytest.raises(RunFailed, match="no checkpoint matches"):
        list(conduct(campaign(runs, tints, **given)))
    assert len(archive.read(runs).results) == 2


def test_only_the_runs_that_are_named(runs: Path, tints: Path) -> None:
    run = read_runs(runs)[1]
    asked = campaign(runs, tints, only={run.key}, targets=(0.5,), tolerance=0.9)
    events = list(conduct(asked))
    assert {match.run for match in of(Match, iter(events))} == {run.key}
    assert {record.run for record in of(Evaluation, iter(events))} == {run.key}
    with pytest.raises(UserError, match="no finished run under"):
        list(conduct(replace(asked, only=())))


def test_neither_a_target_nor_finals(runs: Path, tints: Path) -> None:
    before = tiny.snapshot(runs)
    ended = tiny.robench("eval", "--runs", runs, "--data-dir", tints)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "Error: nothing to attack; say --matched-accuracy 0.70, --final, or both\n"
    )
    ended = tiny.robench("eval", "--final", "--image-seed", -1, "--runs", runs)
    assert (ended.code, ended.err) == (2, "Error: --image-seed -1 is not at least 0\n")
    assert tiny.snapshot(runs) == before


def test_the_command_takes_finals_alone(runs: Path, tints: Path) -> None:
    words = ["--attack", "fgm", "--images", 3, "--runs", runs, "--data-dir", tints]
    ended = tiny.robench("eval", "--final", *words)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("  fgm white-box  3 images  ") == 2
    assert "black-box" not in ended.out
