"""Submissions: an honest one goes through, as a whole, and the row that appears is the same."""

import json
import shutil
from pathlib import Path

import pytest

import submitting
import tiny
from robench import leaderboard
from robench.submissions.container import WEIGHTS
from robench.submissions.inspection import inspect
from robench.submissions.opening import opened
from submitting import ROW


def test_it_holds_all_that_a_row_needs_and_no_more(submitted: Path) -> None:
    held = submitting.members(submitted / "light.robench")
    kinds = sorted({name.rpartition("/")[2].partition(".")[2] or name for name in held})
    assert {"json", "csv", "npz", "samples.npz"} <= set(kinds)
    assert len([name for name in held if name.endswith("DONE")]) == 2  # the run and the source
    assert len([name for name in held if "/matches/" in name]) == 2  # all targets of the variant
    assert not [name for name in held if WEIGHTS.fullmatch(name)]
    listed = json.loads(held["submission.json"])
    assert listed["rows"] == ["baseline 0.605", "baseline 0.70"]
    assert len(listed["weights"]) == 2
    heavy = submitting.members(submitted / "heavy.robench")
    assert {name for name in heavy if WEIGHTS.fullmatch(name)} == listed["weights"].keys()
    assert {name: heavy[name] for name in held if name != "submission.json"} == {
        name: content for name, content in held.items() if name != "submission.json"
    }


def test_the_same_records_give_the_same_bytes_and_are_named_by_them(
    submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again.robench"
    (key,) = {path.stem[:-8] for path in (submitted / "runs" / "audits").glob("*.json")}
    done = tiny.robench("submit", key, "--runs", submitted / "runs", "--out", again)
    assert done.code == 0, done.err
    assert again.read_bytes() == (submitted / "light.robench").read_bytes()
    monkeypatch.chdir(tmp_path)
    assert tiny.robench("submit", ROW, "--runs", submitted / "runs").code == 0
    (named,) = tmp_path.glob("baseline-0.605-????????.robench")
    assert named.read_bytes() == again.read_bytes()


def test_an_honest_submission_is_found_true(submitted: Path, tints: Path, tmp_path: Path) -> None:
    light, heavy = submitted / "light.robench", submitted / "heavy.robench"
    done = tiny.robench("verify", light)
    assert done.code == 0, done.err
    last = done.out.splitlines()[-1]
    assert "comparisons match; not compared: " in last
    assert "the weights are not enclosed" in last
    assert "the data set is not at hand" in last
    more = ["--runs", tmp_path, "--device", "cpu", "--again", 12]
    done = tiny.robench("verify", heavy, "--data-dir", tints, *more)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].endswith("comparisons match")
    with opened(heavy) as submission:
        findings = list(inspect(submission, tints, "cpu", None))
    assert {one.compared for one in findings if not one.left} >= {
        *("files", "records", "rows named", "networks listed", "matches", "audit", "pages"),
        *("shapes", "weights", "validation accuracy", "networks named", "outcomes", "attack"),
        *("network and images", "predictions", "adversarial images", "networks of others"),
    }


def test_what_it_leaves_behind_is_nothing(
    submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert tiny.robench("verify", submitted / "light.robench").code == 0
    assert list(tmp_path.iterdir()) == []


def row_of(page: Path) -> list[str]:
    """Return the lines of a page's tables that hold numbers of the submitted defense."""
    lines = page.read_text().splitlines()
    return [line for line in lines if line.startswith("|") and "baseline" in line]


def test_the_row_appears_with_the_same_numbers(submitted: Path, tmp_path: Path) -> None:
    board, own = tmp_path / "board", tmp_path / "own"
    assert tiny.robench("leaderboard", "add", submitted / "light.robench", "--to", board).code == 0
    report = ["report", "--runs", tmp_path / "none", "--out", board]
    assert tiny.robench(*report).code == 0
    assert tiny.robench(*report, "--check").code == 0
    assert tiny.robench("report", "--runs", submitted / "runs", "--out", own).code == 0
    assert len(row_of(board / "README.md")) >= 2 * len(submitting.TARGETS)
    assert row_of(board / "README.md") == row_of(own / "README.md")


def test_adding_twice_changes_nothing_and_weights_are_asked_for(
    submitted: Path, tmp_path: Path
) -> None:
    board = tmp_path / "board"
    add = ["leaderboard", "add", submitted / "heavy.robench", "--to", board]
    assert tiny.robench(*add).code == 0
    assert not list(board.rglob("*.safetensors"))
    before = tiny.snapshot(board)
    done = tiny.robench(*add)
    assert (done.code, tiny.snapshot(board)) == (0, before)
    assert "all of it is there already" in done.out
    assert tiny.robench(*add, "--with-weights").code == 0
    assert len(list(board.rglob("*.safetensors"))) == 2
    done = tiny.robench("verify", ROW, "--out", board, "--runs", tmp_path / "none")
    assert done.code == 0, done.err


def test_a_merge_that_was_interrupted_shows_no_row_and_goes_on(
    submitted: Path, tmp_path: Path
) -> None:
    board, full = tmp_path / "board", tmp_path / "full"
    path = submitted / "light.robench"
    assert tiny.robench("leaderboard", "add", path, "--to", full).code == 0
    for name in sorted(tiny.snapshot(full)):
        if "/matches/" not in name and not name.endswith(("DONE", ".json")):
            (board / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(full / name, board / name)
    assert leaderboard.pages(board / "records")
    assert tiny.robench("leaderboard", "add", path, "--to", board).code == 0
    assert {name: sha for name, (sha, _) in tiny.snapshot(board).items()} == {
        name: sha for name, (sha, _) in tiny.snapshot(full).items()
    }


def test_nothing_to_submit_is_said(submitted: Path, stock: Path, tmp_path: Path) -> None:
    out = tmp_path / "none.robench"
    done = tiny.robench("submit", "mine 0.70", "--runs", submitted / "runs", "--out", out)
    assert done.code == 2
    assert "no matched row 'mine 0.70'" in done.err
    (key, *_) = sorted(path.parent.name for path in stock.glob("*/DONE"))
    done = tiny.robench("submit", key, "--runs", stock, "--out", out)
    assert done.code == 2
    assert "match and attack first: robench eval --matched-accuracy" in done.err
    assert not out.exists()


def test_weights_that_are_not_as_recorded_are_not_submitted(
    submitted: Path, tmp_path: Path
) -> None:
    runs, out = shutil.copytree(submitted / "runs", tmp_path / "runs"), tmp_path / "none.robench"
    for path in runs.glob("folder-*/final.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    done = tiny.robench("submit", ROW, "--runs", runs, "--out", out, "--with-weights")
    assert done.code == 2
    assert "is not the file that was recorded" in done.err
    assert not out.exists()
    assert tiny.robench("submit", ROW, "--runs", runs, "--out", out).code == 0


def test_a_submission_that_is_not_there_is_said(submitted: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.robench"
    for words in (["verify", path], ["leaderboard", "add", path, "--to", tmp_path / "board"]):
        done = tiny.robench(*words)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"there is no file {path}" in done.err
    for more, said in ((["--out", submitted], "--out is for rows"), ([], "--again is for")):
        what = submitted / "light.robench" if more else "baseline"
        done = tiny.robench("verify", what, *more, "--again", 3)
        assert done.code == 2
        assert said in done.err
