"""Bad input: one clear line, exit code 2, nothing lost. One test for each kind."""

import json
import os
import pickle
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from recordings import rewrite
from robench import files
from robench.records import Checkpoint
from robench.runs import RunFolder, read_run, read_runs, vouch, write_rows


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file under `folder`."""
    return {name: sha256 for name, (sha256, _) in tiny.snapshot(folder).items()}


def refused(runs: Path, words: list[object], *parts: str) -> None:
    """Check that the command ends in one line that holds `parts`, with 2, and changes no file."""
    before = contents(runs)
    ended = tiny.robench(*words)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert ended.err.startswith("Error: ")
    for part in parts:
        assert part in ended.err
    assert contents(runs) == before


def training(data: Path, runs: Path, **more: object) -> list[object]:
    """Return the words of a small training; `more` overrides."""
    return ["train", *tiny.options(data, runs, **{"defense": "baseline", **more})]


def evaluating(data: Path, runs: Path, **more: object) -> list[object]:
    """Return the words of a quick evaluation of all that is trained; `more` overrides."""
    target = read_runs(runs)[0].final.accuracy if "matched_accuracy" not in more else 0
    given = {"matched_accuracy": target, "attack": "fgm", "runs": runs, "data-dir": data, **more}
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return ["eval", *(word for name, value in named.items() for word in (f"--{name}", value))]


@pytest.fixture(scope="module")
def stock(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run, its source and an evaluation; not to be changed."""
    runs = tmp_path_factory.mktemp("stock") / "runs"
    assert tiny.robench(*training(tints, runs)).code == 0
    ended = tiny.robench(*evaluating(tints, runs))
    assert ended.code == 0, ended.err
    return runs


@pytest.fixture
def runs(stock: Path, tmp_path: Path) -> Path:
    """Return a copy of the stock, to be damaged."""
    return shutil.copytree(stock, tmp_path / "runs")


@pytest.mark.parametrize("kind", ["defense", "dataset", "model", "attack", "source"])
def test_unknown_plugin(kind: str, runs: Path, tints: Path) -> None:
    words = (evaluating if kind in ("attack", "source") else training)(tints, runs, **{kind: "Bim"})
    named = "defense" if kind == "source" else kind
    refused(runs, words, f"no {named} called 'Bim'", "Installed: ")


@pytest.mark.parametrize("key", ["epz", "model.widht", "dataset.padd", "other.pad"])
def test_unknown_setting_of_a_run(key: str, runs: Path, tints: Path) -> None:
    words = training(tints, runs, defense="fgm", set=f"{key}=1")
    refused(runs, words, key.split(".")[-1])


def test_unknown_setting_of_an_attack(runs: Path, tints: Path) -> None:
    words = evaluating(tints, runs, set="fgm.step=1")
    refused(runs, words, "fgm has no setting 'step'", "Its settings: eps")


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("set", "eps=much", "fgm: eps=much is not a number (default 0.1)"),
        ("set", "eps", "--set eps: not of the form KEY=VALUE"),
        ("set", "through_attack=maybe", "through_attack=maybe is not true or false"),
        ("epochs", "two", "'two' is not a valid integer; see `robench train --help`"),
        ("epochs", "0", "--epochs 0 is not at least 1"),
        ("lr", "inf", "--lr inf is not above 0"),
        ("lr", "nan", "--lr nan is not above 0"),
        ("validation", "73", "--validation 73 of 72 training images"),
        ("precision", "half", "'half' is not one of 'auto', 'bf16', 'float32'"),
        ("colour", "red", "No such option"),
    ],
)
def test_wrong_type_or_range(option: str, value: str, part: str, runs: Path, tints: Path) -> None:
    refused(runs, training(tints, runs, defense="fgm", **{option: value}), part)


@pytest.mark.parametrize("target", ["0", "1", "70", "-0.5", "nan"])
def test_accuracy_outside_0_to_1(target: str, runs: Path, tints: Path) -> None:
    words = evaluating(tints, runs, matched_accuracy=target)
    refused(runs, words, f"--matched-accuracy {target} is not between 0 and 1; 70 % is 0.70")


def test_missing_data_folder(runs: Path, tmp_path: Path) -> None:
    for data in (tmp_path / "nowhere", tmp_path):
        refused(runs, training(data, runs), f"no folder {data / 'train'}", "train/<class>/*")


def test_folder_with_one_class(runs: Path, tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", train=2, test=2)
    for name in tiny.CLASSES[1:]:
        shutil.rmtree(data / "train" / name)
    refused(runs, training(data, runs), f"{data / 'train'} holds 1 class (blue)")


def test_unreadable_image_is_named(runs: Path, tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", train=2, test=2)
    torn = data / "test" / "red" / "01.png"
    torn.write_bytes(torn.read_bytes()[:40])
    refused(runs, training(data, runs), f"{torn} cannot be read as an image")


def test_image_size_not_divisible_by_8(runs: Path, tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", train=4, test=2, size=12)
    refused(runs, training(data, runs), "image sides divisible by 8, these are 12 x 12")


def test_images_of_two_sizes(runs: Path, tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", train=2, test=2)
    odd = data / "train" / "green" / "00.png"
    Image.new("RGB", (8, 16)).save(odd)
    refused(runs, training(data, runs), f"{odd} is 8 x 16 pixels", "must be of one size")


@pytest.mark.parametrize("verb", ["train", "eval", "report"])
def test_run_folder_of_a_newer_version(verb: str, runs: Path, tints: Path, tmp_path: Path) -> None:
    run = read_runs(runs)[0]
    words = {
        "train": training(tints, runs),
        "eval": evaluating(tints, runs),
        "report": ["report", "--runs", runs, "--out", tmp_path / "out"],
    }[verb]
    manifest = runs / run.key / "manifest.json"
    rewrite(manifest, {**json.loads(manifest.read_text()), "format": 2})
    if verb == "train":
        (manifest.parent / "DONE").unlink()
    refused(runs, words, f"{manifest} has format 2", "written by a newer version", "upgrade")
    assert not (tmp_path / "out").exists()


def reweighed(runs: Path, content: bytes, *, recorded: bool) -> list[object]:
    """Replace the weights to be evaluated next, and their recorded hash; return the words."""
    run = read_runs(runs)[0]
    (runs / run.key / run.final.file).write_bytes(content)
    if recorded:
        final = replace(run.final, sha256=files.sha256(content))
        write_rows(runs / run.key / "checkpoints.csv", Checkpoint, [*run.checkpoints[:-1], final])
        vouch(RunFolder(runs / run.key))
    return ["eval", "--matched-accuracy", run.final.accuracy, "--attack", "fgm", "--runs", runs]


def test_truncated_checkpoint(runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    content = (runs / run.key / run.final.file).read_bytes()[:-10]
    words = [*reweighed(runs, content, recorded=False), "--data-dir", tints]
    refused(runs, words, f"{run.key}/final.safetensors is not the file that was recorded")
    words = [*reweighed(runs, content, recorded=True), "--data-dir", tints]
    refused(runs, words, f"{run.key}/final.safetensors is not a safetensors file")


def test_checkpoint_of_another_model(runs: Path, tints: Path, tmp_path: Path) -> None:
    run = read_runs(runs)[0]
    other = tiny.trained("baseline", tints, tmp_path / "other", settings={"model.width": 0.05})
    content = (tmp_path / "other" / other.key / other.final.file).read_bytes()
    words = [*reweighed(runs, content, recorded=False), "--data-dir", tints]
    refused(runs, words, "is not the file that was recorded (SHA-256 ", "of another model")
    words = [*reweighed(runs, content, recorded=True), "--data-dir", tints]
    refused(runs, words, f"{run.key}/final.safetensors holds weights of another model: ")


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.path),))


def test_pickle_in_place_of_weights_is_never_unpickled(
    runs: Path, tints: Path, tmp_path: Path
) -> None:
    sprung = tmp_path / "sprung"
    words = reweighed(runs, pickle.dumps(Trap(sprung)), recorded=True)
    refused(runs, [*words, "--data-dir", tints], "final.safetensors is not a safetensors file")
    torch.save({"classifier": Trap(sprung)}, tmp_path / "weights.pt")
    words = reweighed(runs, (tmp_path / "weights.pt").read_bytes(), recorded=True)
    refused(runs, [*words, "--data-dir", tints], "final.safetensors is not a safetensors file")
    assert not sprung.exists()


def test_pickle_in_place_of_a_state_is_never_unpickled(tints: Path, tmp_path: Path) -> None:
    runs, sprung = tmp_path / "runs", tmp_path / "sprung"
    planned = tiny.planned("baseline", tints, runs, epochs=2)
    next(tiny.stepwise(planned))
    state = runs / planned.spec.key / "state.safetensors"
    state.write_bytes(pickle.dumps(Trap(sprung)))
    refused(state.parent / "rungs", training(tints, runs, epochs=2), f"{state} is damaged")
    assert not sprung.exists()


@pytest.mark.parametrize("form", ["pickle", "npy", "npz"])
def test_pickle_in_place_of_outcomes_is_never_unpickled(
    form: str, runs: Path, tmp_path: Path
) -> None:
    sprung, trap = tmp_path / "sprung", np.array([Trap(tmp_path / "sprung")], dtype=object)
    path = sorted((runs / "evaluations").glob("*.npz"))[0]
    with path.open("wb") as file:
        if form == "pickle":
            pickle.dump(trap, file)
        elif form == "npy":
            np.save(file, trap, allow_pickle=True)
        else:
            rest = {"clean": trap, "adversarial": trap, "distance": trap, "success": trap}
            np.savez(file, index=trap, label=trap, allow_pickle=True, **rest)
    words = ["report", "--runs", runs, "--out", tmp_path / "out"]
    refused(runs, words, f"{path} cannot be read", "evaluate again")
    assert not sprung.exists()


@contextmanager
def full_beyond(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_loses_nothing_and_training_goes_on(tints: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    planned = tiny.planned("baseline", tints, runs, epochs=2)
    next(tiny.stepwise(planned))
    before = contents(runs)
    with full_beyond(30_000):  # the tables fit, no weights do
        ended = tiny.robench(*training(tints, runs, epochs=2))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "Error: File too large" in ended.err
    assert "free or choose another --runs" in ended.err
    after = contents(runs)
    state = f"{planned.spec.key}/state.safetensors"
    assert after[state] == before[state]
    assert not [name for name in after if name.endswith(".partial")]
    assert tiny.robench(*training(tints, runs, epochs=2)).code == 0
    assert len(read_run(runs / planned.spec.key).history) == 2


def test_read_only_disk(tints: Path, tmp_path: Path) -> None:
    place = tmp_path / "closed"
    place.mkdir(mode=0o500)
    if os.geteuid() == 0:  # who may write anywhere but there
        place = Path("/sys/kernel")
    ended = tiny.robench(*training(tints, place / "runs"))
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert f"({place / 'runs'}" in ended.err
    assert "free or choose another --runs" in ended.err


def test_runs_that_is_or_lies_in_a_file(tints: Path, tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    refused(tmp_path, training(tints, place), "is a file; see `")
    refused(tmp_path, training(tints, place / "runs"), "Not a directory")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_no_gpu_where_one_was_asked_for(device: str, runs: Path, tints: Path) -> None:
    words = training(tints, runs, device=device)
    refused(runs, words, f"--device {device} is not to be had here", "--device cpu always is")


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:-1", "hpu"])
def test_no_device_of_that_name(device: str, runs: Path, tints: Path) -> None:
    words = training(tints, runs, device=device)
    refused(runs, words, f"--device {device} is not to be had here")
