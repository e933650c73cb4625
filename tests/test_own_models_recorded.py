"""Records of classifiers that robench did not train: audited, shown, explained and verified."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import robench
import strangers
import tiny
from robench import archive
from robench.errors import UserError
from robench.imported.record import read_all
from strangers import IMAGES, command


def test_the_audit_asks_what_it_can(stranger: Path) -> None:
    (audit,) = archive.read(stranger).audits.values()
    said = {one.check: one for one in audit.findings}
    assert said["seeds"].verdict == said["matched"].verdict == "skipped"
    assert {said[one].verdict for one in ("parity", "logits", "untouched", "success")} == {"pass"}


def test_the_page_has_it_in_a_part_of_its_own(stranger: Path, tmp_path: Path) -> None:
    text = robench.report(stranger, tmp_path / "board").read_text()
    assert "## Networks that robench did not train: folder" in text
    assert "**not ranked**" in text
    assert "| planes | 1.0000" in text
    assert "### Matched at" not in text
    assert "Left out" not in text
    (figure,) = (tmp_path / "board" / "figures").glob("*.svg")
    assert f"(figures/{figure.name})" in text
    assert tiny.robench("report", "--check", "--out", tmp_path / "board").code == 0


def test_near_names_the_matched_accuracy_that_its_own_is_at(
    stranger_copy: Path, tints: Path, tmp_path: Path
) -> None:
    tiny.trained("baseline", tints, stranger_copy)
    given: dict[str, Any] = {
        "data_dir": tints,
        "runs": stranger_copy,
        "device": "cpu",
        "audit": False,
    }
    given |= {"attacks": ("fgm",), "tolerance": 0.9985}
    robench.evaluate(0.999, images=IMAGES, **given)
    found = robench.report(stranger_copy, tmp_path / "board").read_text()
    assert "fgm, deepfool | 0.999 |" in found
    assert "| planes |" not in found.partition("## Networks that robench did not train")[0]
    robench.evaluate(0.5, images=IMAGES, **{**given, "tolerance": 0.4})
    again = robench.report(stranger_copy, tmp_path / "board").read_text()
    assert "fgm, deepfool | 0.999 |" in again


def test_numbers_are_explained_from_the_published_records(stranger: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    robench.report(stranger, board)
    ended = tiny.robench("explain", "--out", board, "planes rho_correct_envelope")
    assert ended.code == 0, ended.err
    assert "robench did not train it" in ended.out
    assert f"{IMAGES} of {IMAGES} images: deepfool, white-box" in ended.out
    assert "0 of 12 images: fooled by none" in ended.out
    for number in ("benign", "rho_deepfool", "accuracy_fgm at 0.5", "accuracy_envelope", "audit"):
        assert tiny.robench("explain", "--out", board, f"planes {number}").code == 0, number
    (key,) = read_all(stranger)
    as_json = tiny.robench("explain", "--json", "--runs", stranger, key, "median_deepfool")
    (one,) = json.loads(as_json.out)
    assert one["networks"][0]["run"] == key
    assert one["networks"][0]["seed"] is None
    assert one["measurements"][0]["count"] == IMAGES
    refused = tiny.robench("explain", "--out", board, "planes rho_cw")
    assert refused.code == 2
    assert "planes has: benign, images, rho_correct_envelope" in refused.err
    refused = tiny.robench("explain", "--out", board, "pgn rank")
    assert "not trained by robench: planes" in refused.err


def test_it_is_verified_with_what_builds_it(
    stranger_copy: Path, tints: Path, tmp_path: Path
) -> None:
    words = ["verify", "planes", "--runs", stranger_copy, "--data-dir", tints, "--device", "cpu"]
    ended = tiny.robench(*words)
    assert ended.code == 0, ended.err
    assert "not compared: predictions" in ended.out
    ended = tiny.robench(*words, "--model", f"{strangers.file(tmp_path)}:plain")
    assert ended.code == 2
    assert "another function, or its file has changed" in ended.err
    (weights,) = (stranger_copy / "imported").glob("*/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0\0")
    ended = tiny.robench(*words)
    assert ended.code == 1
    assert "weights, 1 compared: MISMATCH" in ended.out


def test_a_file_that_built_it_audits_and_verifies_it(tints: Path, tmp_path: Path) -> None:
    runs, model = tmp_path / "runs", f"{strangers.file(tmp_path)}:plain"
    ended = tiny.robench(*command(tints, runs, "--model", model, "--no-audit"))
    assert ended.code == 0, ended.err
    (key,) = read_all(runs)
    every = ["--runs", runs, "--data-dir", tints, "--device", "cpu"]
    ended = tiny.robench("audit", *every)
    assert (ended.code, ended.out.count("left: built by net:plain@")) == (0, 1)
    refused = tiny.robench("audit", key, *every)
    assert refused.code == 2
    assert "a record runs no function; say --model" in refused.err
    ended = tiny.robench("audit", key, *every, "--model", model)
    assert ended.code == 0, ended.err
    assert f"{key}  step 0  audit: " in ended.out
    ended = tiny.robench("verify", key, *every, "--model", model)
    assert ended.code == 0, ended.err
    assert "predictions, 12 compared: match" in ended.out


@pytest.mark.parametrize(
    "change",
    [
        {"name": "forged"},
        {"accuracy": 2.0},
        {"shape": [3, 8]},
        {"mean": "0.5"},
        {"mean": [0.5]},
        {"data": "../.."},
        {"further": 1},
    ],
)
def test_a_forged_manifest_is_told_by_name(stranger_copy: Path, change: dict[str, object]) -> None:
    (manifest,) = (stranger_copy / "imported").glob("*/manifest.json")
    content = json.loads(manifest.read_text()) | change
    del content["sha256"]
    manifest.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"manifest\.json.*evaluate the network again"):
        archive.read(stranger_copy)


def test_a_manifest_that_leads_elsewhere_is_refused(stranger_copy: Path, tmp_path: Path) -> None:
    (folder,) = (stranger_copy / "imported").iterdir()
    shutil.move(folder, tmp_path / folder.name)
    folder.symlink_to(tmp_path / folder.name)
    with pytest.raises(UserError, match="leads out of"):
        archive.read(stranger_copy)
