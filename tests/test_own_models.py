"""Classifiers that robench did not train, from their weights to the page and the explanation.

The one that is attacked is linear, so that every distance is known in closed form.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import robench
import strangers
import tiny
from robench import archive, panel
from robench.data import Data
from robench.errors import UserError
from robench.imported.record import read_all
from strangers import IMAGES, command, evaluated


def test_distances_are_those_of_the_closed_form(stranger: Path, data: Data) -> None:
    found = {one.evaluation.attack: one.outcomes for one in archive.read(stranger).results}
    deepfool = found["deepfool"]
    shown = panel.of(data, deepfool.index.astype(np.int64))
    known = strangers.distances(shown.x, shown.y)
    assert len(deepfool.label) == IMAGES
    assert deepfool.correct.all()
    assert deepfool.success.all()
    assert (deepfool.distance >= known * (1 - 1e-5)).all()
    assert (deepfool.distance <= known * 1.0201).all()  # its overshoot is 0.02
    fgm = found["fgm"]  # of a plane the step goes straight to it
    assert (fgm.success == (known < 0.5)).all()


def test_declared_normalisation_leaves_distances_in_pixels(tints: Path, tmp_path: Path) -> None:
    plain = evaluated(tints, tmp_path, strangers.tints(), attacks=("deepfool",))
    network, given = strangers.normalised(), {"mean": strangers.MEAN, "std": strangers.STD}
    frame = evaluated(tints, tmp_path, network, attacks=("deepfool",), **given)
    assert frame["rho"].item() == pytest.approx(plain["rho"].item(), rel=1e-4)
    assert frame["key"].item() != plain["key"].item()


def test_a_network_that_is_evaluated_again_is_there_already(
    stranger_copy: Path, tints: Path, tmp_path: Path
) -> None:
    before = tiny.snapshot(stranger_copy)
    evaluated(tints, stranger_copy, strangers.tints(), name="planes", audit=True)
    assert tiny.snapshot(stranger_copy) == before
    evaluated(tints, stranger_copy, strangers.tints(), name="other")
    assert len(read_all(stranger_copy)) == 2


def test_the_network_in_memory_stays_as_it_was(tints: Path, tmp_path: Path) -> None:
    network = strangers.tints().half()
    before = {name: one.clone() for name, one in network.state_dict().items()}
    evaluated(tints, tmp_path, network, attacks=("fgm",))
    now = network.state_dict()
    assert all(torch.equal(before[n], now[n]) and now[n].dtype == torch.float16 for n in now)
    (record,) = read_all(tmp_path).values()
    assert record.notes == ("weights of torch.float16 became float32",)


def test_a_file_of_weights_is_evaluated_by_the_command(tints: Path, tmp_path: Path) -> None:
    state, runs = strangers.normalised().state_dict(), tmp_path / "runs"
    torch.save({"state_dict": {f"module.{n}": one for n, one in state.items()}}, tmp_path / "a.pt")
    own = ["--model", f"{strangers.file(tmp_path)}:plain", "--model-file", tmp_path / "a.pt"]
    own += ["--mean", "0.4,0.45,0.5", "--std", "0.2,0.25,0.3", "--no-audit"]
    first, again = (tiny.robench(*command(tints, runs, *own)) for _ in range(2))
    assert first.code == again.code == 0, first.err
    assert "accuracy 1.0000 when tried" in first.out
    assert "note: 'module.' was taken off" in first.out
    assert again.out.count("there already") == 3
    (record,) = read_all(runs).values()
    assert (record.name, record.origin) == ("a", "a.pt")
    assert record.factory.startswith("net:plain@")
    assert record.mean == strangers.MEAN
    assert json.dumps(vars(record), default=str).count("epoch") == 0


def test_safetensors_and_a_model_of_robench_s_go_together(tints: Path, tmp_path: Path) -> None:
    stock = tiny.trained("baseline", tints, tmp_path / "stock", epochs=6, batch_size=8)
    kept = tmp_path / "stock" / stock.key / stock.final.file
    tensors = safetensors.torch.load_file(kept)
    own = {n.removeprefix("classifier."): one for n, one in tensors.items()}
    safetensors.torch.save_file(own, tmp_path / "b.safetensors")
    settings = {"model.width": 0.1, "deepfool.steps": 20}
    frame = evaluated(
        *(tints, tmp_path / "runs", "convpool"),
        model_file=tmp_path / "b.safetensors",
        settings=settings,
        audit=True,
    )
    assert frame["variant"].unique().tolist() == ["b"]
    ended = tiny.robench("audit", "--runs", tmp_path / "runs", "--data-dir", tints)
    assert ended.out.count("there already") == 1, ended.err  # built again from its record
    ended = tiny.robench("verify", "b", "--runs", tmp_path / "runs", "--data-dir", tints)
    assert ended.code == 0, ended.err
    assert ended.out.count("predictions, 12 compared: match") == 2


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("needy", "does not build a network when called without arguments (TypeError"),
        ("words", "returned a str; it must return a torch.nn.Module"),
        ("KIND", "is a str; name a function or a class"),
        ("nothing", "has no 'nothing'; name what builds the network"),
        ("", "has no ''; name what builds the network"),
    ],
)
def test_what_builds_no_network_is_told(
    tints: Path, tmp_path: Path, function: str, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        evaluated(tints, tmp_path / "runs", f"{strangers.file(tmp_path)}:{function}")
    assert said in str(caught.value)
    assert not (tmp_path / "runs" / "imported").exists()


@pytest.mark.parametrize("kind", ["softmax", "fewer", "bytes"])
def test_what_is_refused_leaves_nothing_and_ends_in_one_line(
    tints: Path, tmp_path: Path, kind: str
) -> None:
    runs = tmp_path / "runs"
    model = f"{strangers.file(tmp_path, kind)}:around"
    ended = tiny.robench(*command(tints, runs, "--model", model))
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert not (runs / "imported").exists()
    assert not (runs / "evaluations").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model-file", "a.pt"], "does not say of which network; say --model"),
        (["--model", "convpool", "--source-seed", 3], "--source-seed is for networks that robench"),
        (["--model", "nowhere:net"], "no network at 'nowhere:net'"),
        (["--model", "convpol"], "did you mean 'convpool'?"),
        (["--model", "net:plain"], "of the file here, write ./net.py:plain"),
        (["--model", "./net.py:plain", "--set", "model.width=1"], "has no settings"),
        (["--model", "./net.py:plain", "--mean", "a,b"], "NUMBER,NUMBER"),
        (["--model", "./net.py:plain", "--entry", "ema"], "--entry ema is of a --model-file"),
        (["--model", "./net.py:plain", "--attack", "pgn"], "needs what robench recorded"),
        (["--model", "./net.py:plain", "--attack", "generator"], "needs what robench recorded"),
    ],
)
def test_what_cannot_be_asked_is_told(
    tints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[object], said: str
) -> None:
    strangers.file(tmp_path)
    monkeypatch.chdir(tmp_path)
    ended = tiny.robench(*command(tints, tmp_path / "runs", *words))
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert said in ended.err


def test_a_network_in_training_is_refused_and_not_changed(tints: Path, tmp_path: Path) -> None:
    network = strangers.Around("dropout")
    with pytest.raises(UserError, match=r"in training mode \(it\)"):
        evaluated(tints, tmp_path, network)
    assert network.training
    assert not (tmp_path / "imported").exists()


def test_a_file_may_hold_the_network_itself(tints: Path, tmp_path: Path) -> None:
    path = strangers.file(tmp_path)
    path.write_text(path.read_text() + "\nnetwork = plain()\n")
    for name in ("network", "plain"):
        frame = evaluated(tints, tmp_path / "runs", f"{path}:{name}", attacks=("fgm",))
        assert frame["variant"].tolist() == [f"net:{name}"]


def test_results_on_fewer_images_are_not_said_to_be_nobody_s(
    stranger_copy: Path, tints: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"name": "planes", "attacks": ("fgm",), "images": 6}
    evaluated(tints, stranger_copy, strangers.tints(), **given)
    text = robench.report(stranger_copy, tmp_path / "board").read_text()
    assert "Left out" not in text
    assert "| planes | 1.0000 [0.758,\N{NO-BREAK SPACE}1.000] | 12 |" in text


def test_the_images_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="say --dataset, of: "):
        robench.evaluate(strangers.tints(), runs=tmp_path)
