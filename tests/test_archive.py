"""Audits as they are stored, read again and refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from recordings import Recorder, drawn, finding, rewrite
from robench import archive
from robench.errors import UserError


def test_an_audit_is_read_as_it_was_written(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    recorder.evaluation(run, "cw", drawn(0, 0.2, 20))
    audit = recorder.audit(run, [finding("a", "pass"), finding("b", "warn", "masking")])
    assert [path.name for path in (tmp_path / "audits").iterdir()] == [f"{run.key}-0000020.json"]
    assert archive.read(tmp_path).audits == {run.final.sha256: audit}


def test_without_a_folder_of_audits_there_are_none(tmp_path: Path) -> None:
    Recorder(tmp_path).run()
    assert archive.read(tmp_path).audits == {}


def test_failures_un_rank_and_those_of_comparability_warn(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    failed = [finding(name, "fail", name) for name in ("integrity", "strength", "masking")]
    others = [
        finding("table", "fail", "comparability"),
        finding("slow", "warn", "strength"),
        finding("no", "skipped", "masking"),
        finding("yes", "pass", "integrity"),
    ]
    audit = recorder.audit(recorder.run(), [*failed, *others])
    assert audit.failed == tuple(failed)
    assert audit.warnings == tuple(others[:2])


def test_of_two_audits_of_the_same_weights_the_one_that_failed_counts(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    broken = recorder.audit(run, [finding("a", "fail")])
    path = tmp_path / "audits" / f"{broken.key}.json"
    for name in ("aaa", "zzz"):
        twin = json.loads(path.read_text()) | {"run": name, "findings": [], "step": 20}
        rewrite(tmp_path / "audits" / f"{name}-0000020.json", twin)
    assert archive.read(tmp_path).audits == {run.final.sha256: broken}


def changed(**values: object) -> Callable[[Path], None]:
    """Return what overwrites fields of a record."""

    def change(path: Path) -> None:
        rewrite(path, json.loads(path.read_text()) | values)

    return change


def cut(path: Path) -> None:
    path.write_text(path.read_text()[:20])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "cannot be read"),
        (changed(format=99), "newer"),
        (changed(findings="none"), "lacks findings"),
        (changed(evaluations=None), "lacks findings or evaluations"),
        (changed(findings=["pass"]), "holds no Finding record"),
        (changed(findings=[{"check": "a"}]), "not a Finding record: family, measured"),
        (changed(verdict="pass"), "not a Audit record: verdict"),
        (
            changed(findings=[vars(finding("a", "pass")) | {"verdict": "fine"}]),
            "verdict of another type",
        ),
        (changed(run="other"), "describes the audit other"),
        (changed(step="20"), "step of another type"),
    ],
)
def test_a_damaged_audit_is_named(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    recorder = Recorder(tmp_path)
    audit = recorder.audit(recorder.run())
    path = tmp_path / "audits" / f"{audit.key}.json"
    damage(path)
    with pytest.raises(UserError, match=said) as error:
        archive.read(tmp_path)
    assert str(path) in str(error.value)
