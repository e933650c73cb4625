"""Names and links that lead out of the runs folder: nothing there is read, written or removed."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strange
import tiny
from bounds import touched, within
from hostile import cases, ends, words
from robench import archive, leaderboard
from robench.containment import contained
from robench.records import Checkpoint, Run
from robench.reproduction import record as reproductions
from robench.runs import read_run, read_runs, write_rows


@pytest.fixture(scope="module")
def attacked(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trained run with its source, evaluations and kept images; not to be changed."""
    runs = tmp_path_factory.mktemp("attacked") / "runs"
    assert tiny.robench("train", "--defense", "baseline", *tiny.options(tints, runs)).code == 0
    words_ = evaluating(tints, runs, read_runs(runs)[0].final.accuracy)
    ended = tiny.robench(*words_)
    assert ended.code == 0, ended.err
    return strange.unsealed(runs)


@pytest.fixture
def runs(attacked: Path, tmp_path: Path) -> Path:
    """Return a copy of it, and beside it `outside`, where valid copies of all of it lie."""
    shutil.copytree(attacked, tmp_path / "outside")
    return shutil.copytree(attacked, tmp_path / "runs")


def evaluating(data: Path, runs: Path, accuracy: float) -> list[object]:
    """Return the words of a quick evaluation."""
    options = ("--data-dir", data, "--runs", runs, "--device", "cpu")
    return ["eval", "--matched-accuracy", accuracy, "--attack", "fgm", *options]


def refused(runs: Path, words_: list[object], said: str = "leads out of") -> None:
    """Check that a command ends in one line and never touches what lies outside."""
    outside = runs.parent / "outside"
    before = tiny.snapshot(outside)
    with touched() as paths:
        ended = tiny.robench(*words_)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert said in ended.err
    assert within(paths, outside) == []
    assert tiny.snapshot(outside) == before


def commands(runs: Path, data: Path, run: Run) -> Iterator[list[object]]:
    """Yield the commands that read a runs folder."""
    options = ("--runs", runs, "--data-dir", data, "--device", "cpu")
    yield ["verify", run.key, *options]
    yield evaluating(data, runs, run.final.accuracy)
    yield ["report", "--runs", runs, "--out", runs.parent / "out"]


def test_the_watch_sees_what_is_opened(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").write_text("a")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    with touched() as paths:
        (tmp_path / "link" / "a").read_text()
        (tmp_path / "b").write_text("b")
    assert within(paths, tmp_path / "outside") == [str(tmp_path / "link" / "a")]


@pytest.mark.parametrize("form", ["climbing", "absolute"])
def test_a_checkpoint_that_lies_elsewhere(form: str, runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    there = runs.parent / "outside" / run.key / "final.safetensors"
    file = {"climbing": f"../../outside/{run.key}/final.safetensors", "absolute": str(there)}[form]
    final = replace(run.final, file=file)
    write_rows(runs / run.key / "checkpoints.csv", Checkpoint, [*run.checkpoints[:-1], final])
    for words_ in commands(runs, tints, run):
        refused(runs, words_)


LINKED = [
    *("", "manifest.json", "history.csv", "checkpoints.csv", "DONE", "final.safetensors"),
]


@pytest.mark.parametrize("name", LINKED)
def test_a_run_that_is_a_link_or_holds_one(name: str, runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    place = runs / run.key / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    place.symlink_to(runs.parent / "outside" / run.key / name)
    for words_ in commands(runs, tints, run):
        if name != "final.safetensors" or words_[0] != "report":  # which reads no weights
            refused(runs, words_)


@pytest.mark.parametrize("suffix", [".json", ".npz", ".samples.npz"])
def test_an_evaluation_that_is_a_link(suffix: str, runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    for path in (runs / "evaluations").glob("*.json"):
        place = path.with_suffix(suffix)
        place.unlink(missing_ok=True)
        place.symlink_to(runs.parent / "outside" / "evaluations" / place.name)
    refused(runs, ["report", "--runs", runs, "--out", runs.parent / "out"])
    if suffix != ".samples.npz":
        refused(runs, next(commands(runs, tints, run)))


@pytest.mark.parametrize("folder", ["evaluations", "matches", "sources"])
def test_a_folder_of_records_that_is_a_link(folder: str, runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    shutil.rmtree(runs / folder)
    (runs / folder).symlink_to(runs.parent / "outside" / folder)
    for words_ in commands(runs, tints, run):
        refused(runs, words_)


@pytest.mark.parametrize("name", ["", "rungs"])
def test_training_goes_on_in_no_other_folder(name: str, runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    place, there = runs / run.key / name, runs.parent / "outside" / run.key / name
    there.mkdir(exist_ok=True)
    (there / "step-9.safetensors").write_text("to be kept")
    (runs / run.key / "DONE").unlink()
    (runs.parent / "outside" / run.key / "DONE").unlink()
    shutil.rmtree(place, ignore_errors=True)
    place.symlink_to(there)
    refused(runs, ["train", "--defense", "baseline", *tiny.options(tints, runs)])


def test_a_match_that_names_another_file(runs: Path, tmp_path: Path) -> None:
    (path,) = (runs / "matches").glob("*.json")
    content = json.loads(path.read_text())
    for row in content["rows"]:
        row["protocol"] = "../../../outside/owned"
    path.write_text(json.dumps(content))
    words_: list[object] = ["report", "--runs", runs, "--out", tmp_path / "out"]
    refused(runs, words_, "holds a match of")
    assert not list(tmp_path.rglob("owned*"))


def test_a_reproduction_that_is_a_link_or_of_another_name(runs: Path, tmp_path: Path) -> None:
    folder = runs / reproductions.REPRODUCTIONS
    folder.mkdir()
    secret = tmp_path / "outside" / "secret.json"
    secret.write_text('{"format": 1}')
    (folder / "x.json").symlink_to(secret)
    refused(runs, ["report", "--runs", runs, "--out", tmp_path / "out"])


def test_a_page_is_written_to_no_other_folder(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    there = tmp_path / "outside" / "figures"
    there.mkdir()
    (there / "mine.svg").write_text("to be kept")
    (out / "figures").symlink_to(there)
    refused(runs, ["report", "--runs", runs, "--out", out])


def test_a_runs_folder_may_be_a_link_itself(runs: Path, tints: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.symlink_to(runs)
    (run,) = read_runs(linked)
    assert archive.read(linked).results
    words_ = ["verify", run.key, "--runs", linked, "--data-dir", tints, "--device", "cpu"]
    assert tiny.robench(*words_).code == 0


KEYS = st.sampled_from(
    ["..", ".", "", "../outside", "sources/..", "/", "evaluations", "~", ".cache"]
)


@cases(60)
@given(key=KEYS | words)
def test_verify_takes_finished_runs_alone(attacked: Path, key: str) -> None:
    from robench.verification import verify

    assert ends("keys", lambda: list(verify(attacked, key, None, "cpu"))) is None


@cases(150)
@given(name=words | st.lists(st.sampled_from(["..", ".", "a", "link"]), max_size=5).map("/".join))
def test_what_is_contained(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp() / "contained"
    (root / "inside" / "a").mkdir(parents=True, exist_ok=True)
    link = root / "inside" / "link"
    if not link.is_symlink():
        link.symlink_to(root)
    path = ends("contained", lambda: contained(root / "inside", root / "inside" / name))
    if path is not None:
        assert path.resolve().is_relative_to((root / "inside").resolve())


def test_generators_that_are_links(runs: Path, tmp_path: Path) -> None:
    run = read_runs(runs)[0]
    (runs / "generators").mkdir()
    (runs / "generators" / run.key).symlink_to(runs.parent / "outside" / run.key)
    refused(runs, ["report", "--runs", runs, "--out", tmp_path / "out"])


READS: dict[str, Callable[[Path, str], object]] = {
    "run": lambda root, name: read_run(root / name),
    "archive": lambda root, _: archive.read(root),
    "publish": lambda root, _: leaderboard.publish(root, root.parent / "out"),
}


@pytest.mark.parametrize("kind", READS)
@cases(25)
@given(file=words | st.sampled_from(["../x", "/etc/hostname", "a/../../../b", "rungs/../.."]))
def test_files_that_checkpoints_name(
    kind: str, attacked: Path, tmp_path_factory: pytest.TempPathFactory, file: str
) -> None:
    root = tmp_path_factory.mktemp("named") / "runs"
    shutil.copytree(attacked, root)
    run = read_runs(root)[0]
    try:
        final = replace(run.final, file=file)
        write_rows(root / run.key / "checkpoints.csv", Checkpoint, [final])
    except UnicodeEncodeError:
        return
    with touched() as paths:
        ends("checkpoint files", lambda: READS[kind](root, run.key))
    assert not [path for path in paths if "/etc/hostname" in path]
    if ".." in file.split("/") and file != "..":
        assert ends("checkpoint files", lambda: read_run(root / run.key)) is None
