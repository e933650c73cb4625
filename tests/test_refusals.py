"""What is refused before anything is written, and messages that name the command to mend it."""

import shlex
import shutil
from pathlib import Path

import pytest

import tiny
from robench.runs import read_runs


@pytest.fixture(scope="module")
def trained(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return runs with one that is trained; not to be changed."""
    runs = tmp_path_factory.mktemp("trained") / "runs"
    tiny.trained("baseline", tints, runs)
    return runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """Return a copy of the runs."""
    return shutil.copytree(trained, tmp_path / "runs")


def evaluating(runs: Path, data: Path, *more: object) -> list[object]:
    """Return the words of an evaluation of what is trained."""
    accuracy = read_runs(runs)[0].final.accuracy
    at = ["--matched-accuracy", accuracy, "--attack", "fgm", "--device", "cpu"]
    return ["eval", *at, "--runs", runs, "--data-dir", data, *more]


def refused(words: list[object], *parts: str) -> None:
    """Check that a command ends with 2 and one line with `parts`, and prints nothing else."""
    ended = tiny.robench(*words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended
    for part in parts:
        assert part in ended.err


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("images", 0, "--images 0 is not at least 1"),
        ("images", 37, "--images 37 of 36 test images; give 1 to 36"),
        ("device", "cuda:77", "--device cuda:77 is not to be had here"),
        ("source-seed", -4, "--source-seed -4 is not at least 0"),
        ("source-seed", 0, "choose another --source-seed"),
    ],
)
def test_evaluation_is_refused_before_a_match_is_told_or_stored(
    option: str, value: object, part: str, runs: Path, tints: Path
) -> None:
    before = tiny.snapshot(runs)
    refused(evaluating(runs, tints, f"--{option}", value), part)
    assert tiny.snapshot(runs) == before


def test_images_are_refused_where_nothing_matches_too(runs: Path, tints: Path) -> None:
    words = ["eval", "--matched-accuracy", 0.123, "--runs", runs, "--data-dir", tints]
    refused([*words, "--images", 0], "--images 0 is not at least 1")


def test_device_is_refused_where_nothing_matches_too(runs: Path, tints: Path) -> None:
    words = ["eval", "--matched-accuracy", 0.123, "--runs", runs, "--data-dir", tints]
    refused([*words, "--device", "cuda:77"], "--device cuda:77 is not to be had here")


def test_setting_of_a_training_given_twice(tints: Path, tmp_path: Path) -> None:
    words = ["train", "--defense", "fgm", *tiny.options(tints, tmp_path / "runs")]
    refused(
        [*words, "--set", "eps=0.2", "--set", "eps=0.3"],
        "--set eps stands twice: 0.2, 0.3; give one, or train both: "
        "robench sweep --set eps=0.2,0.3\n",
    )
    refused(
        [*words, "--set", "model.width=0.5"],
        "both --width 0.1 and --set model.width=0.5; say one of them",
    )
    assert not (tmp_path / "runs").exists()


def test_setting_of_an_attack_given_twice(runs: Path, tints: Path) -> None:
    words = evaluating(runs, tints, "--set", "fgm.eps=0.1", "--set", "fgm.eps=0.9")
    refused(words, "--set fgm.eps stands twice: 0.1, 0.9; give one\n")


def test_setting_given_twice_with_one_value_is_that_value(tints: Path, tmp_path: Path) -> None:
    words = ["train", "--defense", "fgm", *tiny.options(tints, tmp_path / "runs")]
    pairs = ("eps=0.2", "eps=0.2", "model.width=0.1")
    ended = tiny.robench(*words, *(word for pair in pairs for word in ("--set", pair)))
    assert ended.code == 0, ended.err
    (run,) = read_runs(tmp_path / "runs")
    assert run.spec.settings["eps"] == 0.2


def test_evaluation_says_which_runs_to_report(runs: Path, tints: Path) -> None:
    ended = tiny.robench(*evaluating(runs, tints, "--images", 3, "--no-audit"))
    assert ended.code == 0, ended.err
    assert ended.out.endswith(f"write the page with: robench report --runs {runs}\n")


def test_default_runs_are_not_named(
    runs: Path, tints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs.parent)
    words = evaluating(Path("runs"), tints, "--images", 3, "--no-audit")
    assert tiny.robench(*words).out.endswith("write the page with: robench report\n")


def test_stale_page_says_which_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, html = tmp_path / "a board", tmp_path / "site"
    ended = tiny.robench("report", "--check", "--out", out, "--html", html)
    words = shlex.join(["robench", "report", "--out", str(out), "--html", str(html)])
    assert (ended.code, ended.out) == (1, f"stale; run: {words}\n")
    monkeypatch.chdir(tmp_path)
    assert tiny.robench("report", "--check").out == "stale; run: robench report\n"


def test_missing_weights_are_mended_as_told(runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    (runs / run.key / run.final.file).unlink()
    folder = runs / run.key
    ended = tiny.robench(*evaluating(runs, tints))
    assert ended.code == 2
    assert f"is missing; restore it, or delete the run folder {folder} and train" in ended.err
    shutil.rmtree(folder)
    tiny.trained("baseline", tints, runs)
    assert tiny.robench(*evaluating(runs, tints, "--images", 3, "--no-audit")).code == 0


@pytest.mark.parametrize("name", ["typo", "none"])
@pytest.mark.parametrize(
    "words",
    [("eval", "--matched-accuracy", 0.5), ("audit",), ("submit", "pgn 0.5")],
    ids=lambda words: words[0],
)
def test_runs_that_are_not_there(words: tuple[object, ...], name: str, tmp_path: Path) -> None:
    refused([*words, "--runs", tmp_path / name], f"there is no folder {tmp_path / name}; mend")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("report",), ("verify", "pgn 0.5")], ids=lambda words: words[0])
def test_only_none_stands_for_no_runs(words: tuple[object, ...], tmp_path: Path) -> None:
    given = [*words, "--out", tmp_path / "out", "--runs"]
    hint = "for the leaderboard's records alone say --runs none"
    refused([*given, tmp_path / "typo"], f"there is no folder {tmp_path / 'typo'}", hint)
    assert not list(tmp_path.iterdir())
    assert "there is no folder" not in tiny.robench(*given, tmp_path / "none").err


def test_data_folder_that_is_not_there(tmp_path: Path) -> None:
    data, runs = tmp_path / "nowhere", tmp_path / "runs"
    words = ["train", "--defense", "baseline", "--dataset", "digits", "--runs", runs]
    refused([*words, "--data-dir", data], f"there is no folder {data}; mend --data-dir")
    assert not [path for path in runs.rglob("*") if path.is_file() and ".cache" not in path.parts]
