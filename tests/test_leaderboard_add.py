"""Merging submissions: rows stand side by side, and what is there is never replaced."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from recordings import EPS, Recorder, drawn, match, rewrite
from robench import archive
from robench.records import Strength
from robench.runs import RunFolder, vouch
from robench.submissions.packing import submit
from submitting import rewritten

SOURCE = 1


def suite(runs: Path) -> Path:
    """Record two defenses, each of two seeds and two strengths, attacked on both sides."""
    recorder = Recorder(runs)
    source, rows = recorder.run(seed=SOURCE, source=True), []
    for place, (defense, setting) in enumerate((("fgm", "eps"), ("pgd", "eps"))):
        for seed in (0, 1):
            for strength in (0.1, 0.2):
                run = recorder.run(defense, {setting: strength}, EPS, seed=seed)
                number = 10 * place + 2 * seed + int(strength > 0.1)
                seen = [recorder.evaluation(run, "cw", drawn(number, 0.5))]
                if strength == 0.1:
                    shown = drawn(number + 50, 0.5)
                    seen.append(recorder.evaluation(run, "cw", shown, True, source))
                    recorder.audit(run, evaluations=seen)
                    rows.append(match(run))
    recorder.matches(rows)
    return runs


@pytest.fixture(scope="module")
def suites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with records under `runs` and a submission of each; not to be changed."""
    place = tmp_path_factory.mktemp("suites")
    suite(place / "runs")
    for defense in ("fgm", "pgd"):
        submit(place / "runs", [f"{defense} 0.70"], place / f"{defense}.robench")
    return place


def added(path: Path, board: Path) -> tiny.Ended:
    """Add a submission to a leaderboard."""
    return tiny.robench("leaderboard", "add", path, "--to", board)


def test_a_row_comes_with_all_its_seeds_and_strengths(suites: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    done = added(suites / "fgm.robench", board)
    assert done.code == 0, done.err
    assert "fgm seed 0 0.70, fgm seed 1 0.70: " in done.out
    found, whole = archive.read(board / "records"), archive.read(suites / "runs")
    assert {run.spec.defense for run in found.runs.values()} == {"fgm"}
    assert {(r.spec.seed, r.spec.settings["eps"]) for r in found.runs.values()} == {
        (seed, eps) for seed in (0, 1) for eps in (0.1, 0.2)
    }
    assert found.sources == whole.sources
    assert [one.seed for one in found.matches] == [0, 1]
    assert len(found.audits) == 2
    assert len(found.results) == 6


def test_rows_of_two_submissions_are_those_of_one_report(suites: Path, tmp_path: Path) -> None:
    board, own, none = tmp_path / "board", tmp_path / "own", tmp_path / "none"
    paths = [suites / "pgd.robench", suites / "fgm.robench"]
    assert tiny.robench("leaderboard", "add", *paths, "--to", board).code == 0
    assert tiny.robench("report", "--runs", none, "--out", board).code == 0
    assert tiny.robench("report", "--runs", suites / "runs", "--out", own).code == 0
    assert tiny.snapshot(own / "figures").keys() == tiny.snapshot(board / "figures").keys()
    assert (board / "README.md").read_text() == (own / "README.md").read_text()
    assert tiny.robench("report", "--check", "--out", board).code == 0


def other_training(runs: Path) -> None:
    """Let the runs have taken longer."""
    for path in runs.glob("*/history.csv"):
        path.write_text(path.read_text().replace("8.5", "9.5"))
        vouch(RunFolder(path.parent))


def other_source(runs: Path) -> None:
    """Let the source be a network of its own, under the same name."""
    (source,) = archive.read(runs).sources.values()
    rewritten(runs, lambda text: text.replace(source.final.sha256, "e" * 64))


def other_step(runs: Path) -> None:
    """Match the same seeds at other steps of training."""
    (path,) = (runs / "matches").glob("*.json")
    found = archive.read(runs)
    kept = {key: run.checkpoints[0] for key, run in found.runs.items()}
    rows = [
        vars(replace(one, step=kept[one.run].step, how="training", accuracy=kept[one.run].accuracy))
        for one in found.matches
    ]
    rewrite(path, {"format": 1, "rows": [{**row, "tolerance": 0.02} for row in rows]})
    for place, one in enumerate(found.matches):
        run = found.runs[one.run]
        Recorder(runs).evaluation(run, "cw", drawn(400 + place, 0.4), step=kept[run.key].step)


def wider(runs: Path) -> None:
    """Match other seeds than are there, and further from the target."""
    shutil.rmtree(runs)
    recorder = Recorder(runs)
    run = recorder.run("fgm", {"eps": 0.3}, Strength("eps", "up"), seed=5)
    recorder.evaluation(run, "cw", drawn(77, 0.5))
    recorder.matches([replace(match(run), tolerance=0.05)])


CLASHES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a run trained anew": (other_training, "fgm", "is there already with other content"),
    "a black-box source trained anew": (other_source, "pgd", "weights included, into runs/"),
    "another match of the same seed": (other_step, "fgm", "holds another match of fgm, seed 0"),
    "a match further away": (wider, "fgm", "match again: robench eval --tolerance 0.005"),
}


@pytest.mark.parametrize("name", CLASHES)
def test_what_clashes_is_refused_and_nothing_is_written(
    name: str, suites: Path, tmp_path: Path
) -> None:
    change, defense, said = CLASHES[name]
    board, runs = tmp_path / "board", shutil.copytree(suites / "runs", tmp_path / "runs")
    assert added(suites / "fgm.robench", board).code == 0
    before = tiny.snapshot(board)
    change(runs)
    other = submit(runs, [defense], tmp_path / "other.robench")
    assert tiny.robench("verify", other).code == 0
    done = added(other, board)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert said in done.err
    assert tiny.snapshot(board) == before


def test_one_that_is_refused_leaves_those_before_it(suites: Path, tmp_path: Path) -> None:
    board, torn = tmp_path / "board", tmp_path / "torn.robench"
    torn.write_bytes((suites / "pgd.robench").read_bytes()[:-30])
    done = tiny.robench("leaderboard", "add", suites / "fgm.robench", torn, "--to", board)
    assert done.code == 2
    assert f"{torn} is no submission" in done.err
    assert {one.defense for one in archive.read(board / "records").matches} == {"fgm"}


def test_a_link_in_the_leaderboard_is_not_followed(suites: Path, tmp_path: Path) -> None:
    board, outside = tmp_path / "board", tmp_path / "outside"
    outside.mkdir()
    (board / "records").mkdir(parents=True)
    (board / "records" / "evaluations").symlink_to(outside)
    done = added(suites / "fgm.robench", board)
    assert done.code == 2
    assert "leads out of" in done.err
    assert list(outside.iterdir()) == []


def test_a_new_seed_joins_the_rows_that_are_there(suites: Path, tmp_path: Path) -> None:
    board, runs = tmp_path / "board", shutil.copytree(suites / "runs", tmp_path / "runs")
    assert added(suites / "fgm.robench", board).code == 0
    recorder = Recorder(runs)
    run = recorder.run("fgm", {"eps": 0.1}, EPS, seed=2)
    recorder.evaluation(run, "cw", drawn(88, 0.5))
    (path,) = (runs / "matches").glob("*.json")
    rows = [*json.loads(path.read_text())["rows"], vars(match(run))]
    rewrite(path, {"format": 1, "rows": rows})
    assert added(submit(runs, ["fgm"], tmp_path / "more.robench"), board).code == 0
    assert [one.seed for one in archive.read(board / "records").matches] == [0, 1, 2]
