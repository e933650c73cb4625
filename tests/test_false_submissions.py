"""Submissions that lie, with hashes that fit: what is found with how much, and what is not.

docs/submissions.md tells the same in words.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tampering
import tiny
from robench import files, weights
from robench.outcomes import Outcomes
from robench.records import RunSpec
from robench.samples import Samples, samples_path
from robench.submissions.inspection import inspect
from robench.submissions.opening import opened
from submitting import evaluation, falsified, rewritten, unsealed

Change = Callable[[Path], object]
LIGHT, DATA, AGAIN = "the file", "weights and images", "weights, images and --again"
"""What is at hand: the file alone; its weights and the data set; and time to attack anew."""


def final(records: Path) -> Path:
    """Return the folder of the run that was attacked."""
    (matches, *_) = sorted((records / "matches").glob("*.json"))
    return records / json.loads(matches.read_text())["rows"][0]["run"]


def beyond(change: Callable[[Outcomes], Outcomes], attack: str = "deepfool") -> Change:
    """Return what changes the outcomes of images of which no adversarial image is kept."""

    def rewrite(records: Path) -> None:
        path = evaluation(records, attack).with_suffix(".npz")
        old = Outcomes.load(path)
        kept = Samples.load(samples_path(path))
        new, known = change(old), np.isin(old.index, kept.index)
        arrays = {name: np.where(known, getattr(old, name), one) for name, one in vars(new).items()}
        Outcomes(**arrays).save(path)

    return rewrite


def at_all(attack: str, **changes: object) -> Change:
    """Return what changes the record of a white-box evaluation."""
    return lambda records: unsealed(evaluation(records, attack), **changes)


def other_accuracy(records: Path) -> None:
    """Say of all checkpoints of a run, and in its matches, that they are less accurate."""
    path = final(records) / "checkpoints.csv"
    header, *lines = path.read_text().splitlines()
    place = header.split(",").index("accuracy")
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[place] = "0.625"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    other_match(records, accuracy=0.625)


def other_match(records: Path, **changes: object) -> None:
    """Change all matches."""
    for path in (records / "matches").glob("*.json"):
        rows = [{**row, **changes} for row in json.loads(path.read_text())["rows"]]
        unsealed(path, rows=rows)


def other_audit(records: Path, verdict: str | None = "pass", **changes: object) -> None:
    """Change an audit, and the verdicts of its checks; None takes the checks out."""
    (path,) = (records / "audits").glob("*.json")
    findings = [{**one, "verdict": verdict} for one in json.loads(path.read_text())["findings"]]
    unsealed(path, findings=findings if verdict else [], **changes)


def other_weights(records: Path) -> str:
    """Put another network in the place of one that was attacked; return its hash."""
    path = final(records) / "final.safetensors"
    if not path.exists():
        return "f" * 64
    tensors = {name: -tensor for name, tensor in weights.load(path).items()}
    return weights.save(path, tensors, {})


def with_hashes(records: Path) -> None:
    """Swap a network, and its hash wherever that stands."""
    (line, *_) = (final(records) / "checkpoints.csv").read_text().splitlines()[:0:-1]
    old, new = line.split(",")[-2], other_weights(records)
    rewritten(records, lambda text: text.replace(old, new))


def under_another_name(records: Path) -> None:
    """Publish a run as one of another seed."""
    manifest = json.loads((final(records) / "manifest.json").read_text())
    old, spec = final(records).name, RunSpec(**{**manifest["spec"], "seed": 7})
    unsealed(final(records) / "manifest.json", spec={**manifest["spec"], "seed": 7})
    other_match(records, seed=7)
    rewritten(records, lambda text: text.replace(old, spec.key))


def stray(records: Path) -> None:
    """Add an audit of nothing."""
    (path,) = (records / "audits").glob("*.json")
    row = json.loads(path.read_text())
    unsealed(path)
    path.with_name(f"{row['run']}-0000001.json").write_text(
        json.dumps({**json.loads(path.read_text()), "step": 1, "weights": "0" * 64})
    )


LIES: dict[str, tuple[Change, str, str]] = {
    "a match says another accuracy": (
        lambda records: other_match(records, accuracy=0.7),
        *(LIGHT, "matches"),
    ),
    "a match is of another step": (
        lambda records: other_match(records, how="training"),
        LIGHT,
        "matches",
    ),
    "a match is further away than allowed": (
        lambda records: other_match(records, tolerance=0.001),
        *(LIGHT, "matches"),
    ),
    "a radius that the attack has not": (at_all("fgm", radius=0.75), LIGHT, "attack"),
    "a budget told as the smallest distance": (at_all("fgm", minimal=True), LIGHT, "attack"),
    "an audit that saw other evaluations": (
        lambda records: other_audit(records, evaluations=["cw-white-000000000000"]),
        *(LIGHT, "audit"),
    ),
    "a record that belongs to nothing": (stray, LIGHT, "records"),
    "weights swapped": (other_weights, DATA, "weights"),
    "weights swapped with all hashes": (with_hashes, DATA, "predictions"),
    "classes of images that were not kept": (
        beyond(
            lambda o: replace(
                o,
                clean=(o.clean + 1) % 3,
                adversarial=o.label,
                success=o.success & False,
                distance=np.full_like(o.distance, np.inf),
            ),
            "fgm",
        ),
        *(DATA, "predictions"),
    ),
    "benign accuracies": (other_accuracy, DATA, "validation accuracy"),
    "distances of images that were not kept": (
        beyond(
            lambda o: replace(
                o, distance=o.distance * np.float32(1.5), norm=o.norm * np.float32(1.5)
            )
        ),
        *(AGAIN, "attack repeated"),
    ),
    "failures of an attack that fooled": (
        beyond(
            lambda o: replace(
                o,
                distance=np.full_like(o.distance, np.inf),
                success=o.success & False,
                adversarial=o.label,
            )
        ),
        *(AGAIN, "attack repeated"),
    ),
    "checks that failed": (other_audit, AGAIN, "audit repeated"),
}


def differing(path: Path, having: str, tints: Path) -> set[str]:
    """Return which comparisons show a difference, with what is at hand."""
    given = (tints if having != LIGHT else None, "cpu", None, 36 if having == AGAIN else 0)
    with opened(path) as submission:
        return {one.compared for one in inspect(submission, *given) if not one.matches}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_found_with_what_it_takes_and_not_with_less(
    name: str, submitted: Path, tints: Path, tmp_path: Path
) -> None:
    change, needed, compared = LIES[name]
    own = "light" if needed == LIGHT else "heavy"
    path = falsified(submitted / f"{own}.robench", tmp_path / "false.robench", change)
    assert compared in differing(path, needed, tints)
    if needed != LIGHT:
        light = falsified(submitted / "light.robench", tmp_path / "light.robench", change)
        assert not differing(light, LIGHT, tints)  # the limit that the documentation tells
    if needed == AGAIN:
        assert not differing(path, DATA, tints)


@pytest.mark.parametrize("name", tampering.CHANGES)
def test_a_changed_record_is_found_without_weights(
    name: str, submitted: Path, tmp_path: Path
) -> None:
    def change(records: Path) -> None:
        tampering.CHANGES[name][1](evaluation(records, "fgm"))

    path = falsified(submitted / "light.robench", tmp_path / "false.robench", change)
    board = tmp_path / "board"
    for words in (["verify", path], ["leaderboard", "add", path, "--to", board]):
        done = tiny.robench(*words)
        assert (done.code in (1, 2), done.err.count("\n")) == (True, 1), done.err
        assert str(path) in done.err
    assert not board.exists()


def test_checks_left_out_of_an_audit_are_told(submitted: Path, tmp_path: Path) -> None:
    path = tmp_path / "false.robench"
    falsified(submitted / "light.robench", path, lambda records: other_audit(records, None))
    done = tiny.robench("verify", path)
    assert done.code == 0
    assert "not among its checks: " in done.out.splitlines()[-1]


@pytest.mark.parametrize("change", [under_another_name, with_hashes])
def test_what_is_somebody_else_s_is_not_added(
    change: Change, submitted: Path, tmp_path: Path
) -> None:
    board, path = tmp_path / "board", tmp_path / "false.robench"
    honest = submitted / "light.robench"
    assert tiny.robench("leaderboard", "add", honest, "--to", board).code == 0
    before = tiny.snapshot(board)
    falsified(honest, path, change)
    assert tiny.robench("verify", path).code == 0
    done = tiny.robench("leaderboard", "add", path, "--to", board)
    assert (done.code, tiny.snapshot(board)) == (2, before)
    theirs = "the weights of step" if change is under_another_name else "its distances are those of"
    assert theirs in done.err


def test_a_file_that_is_not_the_one_listed_is_refused(submitted: Path, tmp_path: Path) -> None:
    content = (submitted / "light.robench").read_bytes()
    at = content.index(b'"attack": "fgm"')
    path = tmp_path / "torn.robench"
    files.write(path, content[:at] + b'"attack": "cw "' + content[at + 15 :])
    done = tiny.robench("verify", path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{path} is no submission" in done.err
