"""`robench audit`, and the audit that `robench eval` ends with, as a person calls them."""

import json
from pathlib import Path

import numpy as np
import pytest

import subjects
import tiny
from robench import archive
from robench.audit.auditing import CHECKS, case_of
from robench.audit.manual import manual
from robench.data import Data

ROOT = Path(__file__).parents[1]
EVAL = ("eval", "--matched-accuracy", 0.9, "--tolerance", 0.4, "--attack", "fgm", "--images", 30)


@pytest.fixture
def options(runs: Path, tints: Path) -> list[object]:
    return ["--runs", runs, "--data-dir", tints, "--device", "cpu"]


def test_eval_ends_with_an_audit_of_every_match(runs: Path, options: list[object]) -> None:
    ended = tiny.robench(*EVAL, *options)
    assert ended.code == 0, ended.err
    found = archive.read(runs)
    assert set(found.audits) == {one.evaluation.weights for one in found.results}
    for audit in found.audits.values():
        assert {one.check for one in audit.findings} == {one.name for one in CHECKS}
        assert audit.count == 30
        assert f"{audit.run}  step {audit.step}  audit: " in ended.out
    before = tiny.snapshot(runs / archive.AUDITS)
    again = tiny.robench(*EVAL, *options)
    assert again.out.count("there already") == 6  # two attacks and an audit of two networks
    assert tiny.snapshot(runs / archive.AUDITS) == before


def test_what_is_attacked_anew_is_audited_anew(runs: Path, options: list[object]) -> None:
    assert tiny.robench(*EVAL, "--no-audit", *options).code == 0
    assert not (runs / archive.AUDITS).exists()
    assert tiny.robench("audit", *options).code in (0, 1)
    first = archive.read(runs).audits
    assert tiny.robench(*EVAL, "--set", "fgm.eps=0.25", "--no-audit", *options).code == 0
    assert tiny.robench("audit", *options).code in (0, 1)
    for weights, audit in archive.read(runs).audits.items():
        assert len(audit.evaluations) == 2 * len(first[weights].evaluations)


def test_another_seed_changes_what_is_said_of_seeds_alone(
    runs: Path, options: list[object]
) -> None:
    assert tiny.robench(*EVAL, *options).code in (0, 1)
    first = archive.read(runs).audits
    (matches,) = (runs / archive.MATCHES).glob("*.json")
    content = json.loads(matches.read_text())
    one = content["rows"].pop()
    assert content["rows"]
    matches.write_text(json.dumps({key: content[key] for key in ("format", "rows")}))
    assert tiny.robench("audit", *options).code in (0, 1)
    for audit in archive.read(runs).audits.values():
        old = {finding.check: finding for finding in first[audit.weights].findings}
        new = {finding.check: finding for finding in audit.findings}
        changed = {name for name in old if old[name] != new[name]}
        assert changed == ({"matched", "ended", "seeds"} if audit.run == one["run"] else {"seeds"})
        assert audit.seconds == first[audit.weights].seconds
    assert tiny.robench("audit", *options).out.count("there already") == 2


def test_an_audit_by_fewer_checks_is_made_again(runs: Path, options: list[object]) -> None:
    assert tiny.robench(*EVAL, *options).code == 0
    (path, *_) = sorted((runs / archive.AUDITS).glob("*.json"))
    row = json.loads(path.read_text())
    del row["sha256"], row["findings"][3]
    path.write_text(json.dumps(row))
    assert tiny.robench("audit", *options).out.count("there already") == 1
    assert len(json.loads(path.read_text())["findings"]) == len(CHECKS)


def test_probes_and_training_images_are_of_all_classes(
    runs: Path, data: Data, options: list[object]
) -> None:
    assert (np.diff(data.test.y.numpy()) >= 0).all()  # listed by class
    assert tiny.robench(*EVAL, "--no-audit", *options).code == 0
    case = case_of(subjects.opened(runs, data), data, archive.read(runs))
    for count in (3, 6, 9):
        assert np.bincount(case.panel.y[:count]).tolist() == [count // 3] * 3
    first = case.results[0].outcomes
    at = first.places(case.panel.index)
    assert at is not None
    assert np.array_equal(case.envelope.clean, first.clean[at])


def test_exit_code_says_whether_something_failed(runs: Path, options: list[object]) -> None:
    tiny.robench(*EVAL, *options)
    (path, *_) = sorted((runs / archive.AUDITS).glob("*.json"))
    row = json.loads(path.read_text())
    row.pop("sha256", None)
    run = row["run"]
    for verdict, code in (("pass", 0), ("fail", 1)):
        for one in row["findings"]:
            one["verdict"] = "pass" if one["check"] != "slopes" else verdict
        path.write_text(json.dumps(row))
        ended = tiny.robench("audit", run, *options)
        assert ended.code == code, ended.err
        assert ("slopes: " in ended.out) is bool(code)
        assert ("1 of 1 checkpoints failed the audit" in ended.err) is bool(code)


def test_runs_that_were_not_attacked_are_said(runs: Path, options: list[object]) -> None:
    ended = tiny.robench("audit", *options)
    assert (ended.code, ended.out) == (2, "")
    assert "nothing under" in ended.err
    tiny.robench(*EVAL, "--no-audit", *options)
    ended = tiny.robench("audit", "folder-none-0123456789", *options)
    assert ended.code == 2
    assert "no evaluated run 'folder-none-0123456789'" in ended.err
    assert "there: folder-baseline-" in ended.err


def test_page_is_what_the_checks_say() -> None:
    assert (ROOT / "docs" / "audit.md").read_text() == manual()
    assert tiny.robench("audit", "--list").out == manual()
    for one in CHECKS:
        assert f"| `{one.name}` |" in manual()
        assert one.question.endswith("?")
        assert all((one.source, one.threshold, one.remedy))


OWN = """
from dataclasses import dataclass
from torch.nn import functional as F
from robench.defense import Defense

@dataclass
class Own(Defense):
    def loss(self, model, x, y):
        return F.cross_entropy(model(x), y)
"""


def test_defense_of_a_file_is_attacked_and_audited_without_being_run(
    tints: Path, tmp_path: Path
) -> None:
    plugin, runs = tmp_path / "own.py", tmp_path / "runs"
    plugin.write_text(OWN)
    words = tiny.options(tints, runs, defense=f"{plugin}:Own")
    assert tiny.robench("train", *words).code == 0
    plugin.unlink()
    options = ["--runs", runs, "--data-dir", tints, "--device", "cpu", "--images", 6]
    target = ["eval", "--matched-accuracy", 0.5, "--tolerance", 0.49, "--attack"]
    ended = tiny.robench(*target, "fgm", "--attack", "generator", *options)
    assert ended.code == 0, ended.err
    assert "generator" not in ended.out
    assert "audit: " in ended.out
