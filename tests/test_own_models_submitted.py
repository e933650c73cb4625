"""Networks that robench did not train, handed in: told true, told false, shown unranked."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch

import strangers
import tiny
from robench import archive, weights
from robench.imported.record import Imported, read_all
from robench.outcomes import Outcomes
from robench.submissions.container import WEIGHTS
from strangers import IMAGES, evaluated
from submitting import evaluation, falsified, members, rewritten, unsealed

NAME = "net-plain"


@pytest.fixture(scope="module")
def handed_in(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `net.py`, `runs` of its network, and two submissions of it."""
    place = tmp_path_factory.mktemp("handed-in")
    evaluated(tints, place / "runs", f"{strangers.file(place)}:plain", name=NAME, audit=True)
    for name, more in (("light", []), ("heavy", ["--with-weights"])):
        words = ["submit", NAME, "--runs", place / "runs", "--out", place / f"{name}.robench"]
        done = tiny.robench(*words, *more)
        assert done.code == 0, done.err
    return place


@pytest.fixture(scope="module")
def rebuilt(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a submission of a network that a model of robench's builds."""
    place = tmp_path_factory.mktemp("rebuilt")
    run = tiny.trained("baseline", tints, place / "stock", epochs=6, batch_size=8)
    tensors = safetensors.torch.load_file(place / "stock" / run.key / run.final.file)
    own = {name.removeprefix("classifier."): one for name, one in tensors.items()}
    safetensors.torch.save_file(own, place / "b.safetensors")
    given = {"model_file": place / "b.safetensors", "settings": {"model.width": 0.1}}
    evaluated(tints, place / "runs", "convpool", attacks=("fgm",), audit=True, **given)
    path = place / "b.robench"
    words = ["submit", "b", "--runs", place / "runs", "--out", path, "--with-weights"]
    done = tiny.robench(*words)
    assert done.code == 0, done.err
    return path


def verified(path: Path, *more: object) -> tiny.Ended:
    """Verify a submission where no other data set is at hand than is said."""
    return tiny.robench("verify", path, "--runs", path.parent / "none", "--device", "cpu", *more)


def manifest(records: Path) -> Path:
    """Return the record of the network."""
    (path,) = (records / "imported").glob("*/manifest.json")
    return path


def test_it_holds_the_network_and_no_more(handed_in: Path) -> None:
    held = members(handed_in / "light.robench")
    listed = json.loads(held["submission.json"])
    assert listed["rows"] == [NAME]
    assert {name.split("/")[1] for name in listed["files"]} == {"imported", "evaluations", "audits"}
    (weights_of,) = listed["weights"]
    assert WEIGHTS.fullmatch(weights_of)
    assert weights_of not in held
    assert members(handed_in / "heavy.robench").keys() == {*held, weights_of}


def test_it_is_found_true_as_far_as_it_can_be(handed_in: Path, tints: Path) -> None:
    light = verified(handed_in / "light.robench", "--data-dir", tints)
    assert light.code == 0, light.err
    assert "the weights are not enclosed" in light.out.splitlines()[-1]
    heavy = handed_in / "heavy.robench"
    bare = verified(heavy, "--data-dir", tints, "--again", 4)
    assert bare.code == 0, bare.err
    assert "built by net:plain@" in bare.out.splitlines()[-1]
    assert "predictions, 12" not in bare.out
    more = ["--data-dir", tints, "--again", 4, "--model", f"{handed_in / 'net.py'}:plain"]
    whole = verified(heavy, *more)
    assert whole.code == 0, whole.err
    assert whole.out.count(f"predictions, {IMAGES} compared: match") == 2
    assert whole.out.count("attack repeated, 4 compared: match") == 2
    assert "audit repeated" in whole.out
    assert "not compared" not in whole.out


def test_what_robench_builds_itself_needs_no_function(rebuilt: Path, tints: Path) -> None:
    done = verified(rebuilt, "--data-dir", tints, "--again", 4)
    assert done.code == 0, done.err
    assert f"predictions, {IMAGES} compared: match" in done.out
    assert "attack repeated, 4 compared: match" in done.out


def test_it_stands_on_the_page_and_is_never_ranked(
    handed_in: Path, tints: Path, tmp_path: Path
) -> None:
    board, own = tmp_path / "board", tmp_path / "own"
    add = ["leaderboard", "add", handed_in / "heavy.robench", "--to", board]
    done = tiny.robench(*add)
    assert done.code == 0, done.err
    assert f"{NAME}: " in done.out
    assert not list(board.rglob("*.safetensors"))
    assert "all of it is there already" in tiny.robench(*add).out
    assert tiny.robench("report", "--runs", tmp_path / "none", "--out", board).code == 0
    assert tiny.robench("report", "--runs", handed_in / "runs", "--out", own).code == 0
    page = (board / "README.md").read_text()
    assert page == (own / "README.md").read_text()
    assert "**not ranked**" in page
    built = ["--data-dir", tints, "--again", 4, "--model", f"{handed_in / 'net.py'}:plain"]
    done = tiny.robench(*add, "--with-weights", *built)
    assert done.code == 0, done.err
    assert "not compared" not in done.out
    assert len(list(board.rglob("*.safetensors"))) == 1


def other_weights(records: Path) -> None:
    """Put other values in the place of the network's, and say so wherever their hash stands."""
    folder = manifest(records).parent
    path = folder / "weights.safetensors"
    old = archive.read(records).imported[folder.name].weights
    changed = {name: 2 * one for name, one in weights.load(path).items()}
    new = weights.save(path, changed, {})
    rewritten(records, lambda text: text.replace(old, new).replace(old[:8], new[:8]))


def further(records: Path) -> None:
    """Double all distances of images of which no adversarial image is kept."""
    (records / "evaluations").joinpath(
        f"{evaluation(records, 'deepfool').stem}.samples.npz"
    ).unlink()
    path = evaluation(records, "deepfool").with_suffix(".npz")
    old = Outcomes.load(path)
    arrays = {name: getattr(old, name) for name in vars(old)}
    arrays |= {"distance": 2 * old.distance, "norm": 2 * old.norm}
    Outcomes(**arrays).save(path)


def other_class(records: Path) -> None:
    """Say that an image was classified otherwise when nothing attacked it."""
    (records / "evaluations").joinpath(f"{evaluation(records, 'fgm').stem}.samples.npz").unlink()
    path = evaluation(records, "fgm").with_suffix(".npz")
    old = Outcomes.load(path)
    arrays = {name: getattr(old, name) for name in vars(old)}
    arrays["clean"] = np.where(old.clean < 0, old.clean, (old.clean + 1) % 3)
    arrays["adversarial"] = arrays["clean"]
    Outcomes(**arrays).save(path)


def without(kind: str) -> Callable[[Path], None]:
    """Return what takes the records of one kind away."""
    return lambda records: shutil.rmtree(records / kind)


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (other_weights, "weights, 1 compared: MISMATCH"),
        (further, "attack repeated, 4 compared: MISMATCH"),
        (other_class, "predictions, 12 compared: MISMATCH"),
        (without("evaluations"), "records, "),
    ],
)
def test_lies_are_found(
    handed_in: Path, tints: Path, tmp_path: Path, lie: Callable[[Path], object], found: str
) -> None:
    path = falsified(handed_in / "heavy.robench", tmp_path / "lie.robench", lie)
    more = ["--data-dir", tints, "--again", 4, "--model", f"{handed_in / 'net.py'}:plain"]
    done = verified(path, *more)
    assert done.code == 1, done.out + done.err
    assert [line for line in done.out.splitlines() if found in line and "MISMATCH" in line]


def renamed(records: Path, **changes: object) -> None:
    """Change the record of the network, and its name to the one that then follows."""
    path = manifest(records)
    unsealed(path, **changes)
    content = json.loads(path.read_text())
    del content["format"]
    lists = {name: tuple(content[name]) for name in ("mean", "std", "shape", "notes")}
    old, new = path.parent.name, Imported(**{**content, **lists}).key
    rewritten(records, lambda text: text.replace(old, new))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"width": 60.0}}, "weights of another model"),
        ({"settings": {"depth": 3}}, "depth"),
        ({"dataset": "strangers:Images"}, "only plugins that a package registers"),
    ],
)
def test_a_record_that_would_have_something_built_or_imported_is_refused(
    rebuilt: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    path = tmp_path / "forged.robench"
    falsified(rebuilt, path, lambda records: renamed(records, **changes))
    done = verified(path)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert said in done.err


def test_anothers_network_under_a_name_of_ones_own_is_not_added(
    handed_in: Path, tints: Path, tmp_path: Path
) -> None:
    evaluated(tints, tmp_path / "runs", f"{handed_in / 'net.py'}:plain", name="mine")
    path, board = tmp_path / "mine.robench", tmp_path / "board"
    assert tiny.robench("submit", "mine", "--runs", tmp_path / "runs", "--out", path).code == 0
    add = ["leaderboard", "add", "--to", board]
    assert tiny.robench(*add, handed_in / "light.robench").code == 0
    before = tiny.snapshot(board)
    done = tiny.robench(*add, path)
    assert done.code == 2
    (key,) = read_all(handed_in / "runs")
    assert f"its weights are those of {key}" in done.err
    assert tiny.snapshot(board) == before


def test_what_cannot_be_submitted_is_said(handed_in: Path, submitted: Path, tmp_path: Path) -> None:
    runs = shutil.copytree(handed_in / "runs", tmp_path / "runs")
    shutil.rmtree(runs / "evaluations")
    out = tmp_path / "none.robench"
    done = tiny.robench("submit", NAME, "--runs", runs, "--out", out)
    assert (done.code, out.exists()) == (2, False)
    assert "was not attacked; attack it: robench eval --model" in done.err
    done = tiny.robench("submit", "nte", "--runs", runs, "--out", out)
    assert done.code == 2
    assert f"not trained by robench: {NAME}" in done.err
    light, board = submitted / "light.robench", tmp_path / "board"
    for words in (["verify", light], ["leaderboard", "add", light, "--to", board]):
        done = tiny.robench(*words, "--runs", tmp_path / "none", "--model", "net.py:plain")
        assert done.code == 2
        assert "--model is for networks that robench did not train" in done.err
    assert not board.exists()
