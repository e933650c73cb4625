"""Records that a stranger wrote: pages are made of them, or one line says what is wrong."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strange
from bounds import little_memory
from hostile import BOMBS, as_json, cases, ends, mutated, spoilt, trap, values
from robench import leaderboard
from robench.conformance import from_json
from robench.errors import UserError
from robench.imported.record import Imported
from robench.outcomes import Outcomes
from robench.records import Evaluation, RunSpec


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return valid records of every kind; not to be changed."""
    return strange.records(tmp_path_factory.mktemp("valid"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder to work in."""
    return tmp_path_factory.mktemp("place")


def copied(valid: Path, place: Path) -> Path:
    """Return a leaderboard folder of the valid records, and nothing else."""
    out = place / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(valid, out / "records")
    return out


def shown(out: Path) -> object:
    """Read the records as `report` does, all but the drawing of figures."""
    return leaderboard.stale(out)


def test_what_is_changed_is_valid(valid: Path, place: Path) -> None:
    out = copied(valid, place)
    assert len([line for line in leaderboard.stale(out) if "missing" in line]) > 3
    leaderboard.publish(out / "records", place / "again")
    assert (place / "again" / "records" / "matches").is_dir()


def renamed(root: Path, path: Path, content: Any) -> Path:
    """Write a changed record under the name that it now has; change what refers to it."""
    if not isinstance(content, dict):
        path.write_bytes(as_json(content))
        return path
    old, new = path.stem, None
    try:
        if path.name == "manifest.json":
            old, new = path.parent.name, key_of(content)
        elif path.parent.name == "evaluations":
            row = {key: value for key, value in content.items() if key != "format"}
            new = from_json(Evaluation, row).key
    except (UserError, KeyError, TypeError, ValueError):
        pass
    path.write_bytes(as_json(content))
    if new is None or new == old:
        return path
    for one in sorted(root.rglob("*.json")) + sorted(root.rglob("*.csv")):
        one.write_text(one.read_text().replace(old, new))
    for one in sorted(root.rglob(f"{old}*")):
        one.rename(one.with_name(one.name.replace(old, new)))
    return path


def key_of(content: dict[str, Any]) -> str:
    """Return the name that a manifest's folder should have."""
    if "spec" in content:
        return from_json(RunSpec, content["spec"]).key
    lists = {name: tuple(content[name]) for name in ("mean", "std", "shape", "notes")}
    row = {key: value for key, value in content.items() if key != "format"}
    return from_json(Imported, row | lists).key


def files(valid: Path, pattern: str) -> list[str]:
    """Return the files of the valid records, by their names there."""
    found = (path for path in valid.rglob(pattern) if path.is_file())
    return sorted(str(path.relative_to(valid)) for path in found)


@pytest.mark.parametrize(
    "kind",
    [
        "*/manifest.json",
        "imported/*/manifest.json",
        "evaluations/*.json",
        "matches/*.json",
        "reproductions/*.json",
        "audits/*.json",
        "studies/*.json",
    ],
)
@cases(20)
@given(data=st.data())
def test_records_of_other_values(kind: str, valid: Path, place: Path, data: st.DataObject) -> None:
    out = copied(valid, place)
    path = out / "records" / data.draw(st.sampled_from(files(valid, kind)))
    content = json.loads(path.read_text())
    renamed(out / "records", path, data.draw(mutated(content)))
    with little_memory():
        ends(kind, lambda: shown(out))
        ends(kind, lambda: leaderboard.publish(out / "records", place / "again"))


@cases(30)
@given(data=st.data())
def test_files_of_other_bytes(valid: Path, place: Path, data: st.DataObject) -> None:
    out = copied(valid, place)
    path = out / "records" / data.draw(st.sampled_from(files(valid, "*")))
    other = st.sampled_from([*BOMBS, trap(place / "sprung"), b"\xff\xfe"])
    path.write_bytes(data.draw(spoilt(path.read_bytes()) | other))
    with little_memory():
        ends("bytes", lambda: shown(out))
    assert not (place / "sprung").exists()


@cases(15)
@given(data=st.data())
def test_tables_of_other_numbers(valid: Path, place: Path, data: st.DataObject) -> None:
    out = copied(valid, place)
    path = out / "records" / data.draw(st.sampled_from(files(valid, "*.csv")))
    lines = path.read_text().splitlines()
    row = data.draw(st.integers(1, len(lines) - 1))
    cells = lines[row].split(",")
    column = data.draw(st.integers(0, len(cells) - 1))
    cells[column] = data.draw(
        st.sampled_from(["nan", "inf", "-1", "1e999", "0", "2", "9" * 30, "9" * 5000, "", "../x"])
    )
    lines[row] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    ends("tables", lambda: shown(out))


@cases(10)
@given(
    distances=st.lists(
        st.sampled_from([0.0, 0.5, 1e-45, 3e38, float("inf"), float("nan"), -1.0]),
        min_size=strange.COUNT,
        max_size=strange.COUNT,
    ),
    labels=st.sampled_from([0, 1, -1, 32767]),
)
def test_outcomes_of_other_numbers(
    valid: Path, place: Path, distances: list[float], labels: int
) -> None:
    out = copied(valid, place)
    for path in (out / "records" / "evaluations").glob("*.json"):
        there = Outcomes.load(path.with_suffix(".npz"))
        far = np.array(distances, dtype=np.float32)
        label = np.full_like(there.label, labels)
        replace(there, distance=far, norm=far, label=label).save(path.with_suffix(".npz"))
    ends("outcome numbers", lambda: shown(out))


@pytest.mark.parametrize("notes", [b"\xff\xfe", b"\0" * 10, b""])
def test_notes_that_are_no_text(notes: bytes, valid: Path, place: Path) -> None:
    out = copied(valid, place)
    (out / "records" / "notes.md").write_bytes(notes)
    ends("notes", lambda: shown(out))


@cases(60)
@given(data=st.data())
def test_records_of_any_json(data: st.DataObject) -> None:
    for kind in (RunSpec, Evaluation):
        row: Any = data.draw(values)
        ends("json records", lambda kind=kind, row=row: from_json(kind, row))  # type: ignore[misc]
