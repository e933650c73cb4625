"""Verifying: an honest record matches, and each number in it that was changed is found."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import subjects
import tiny
from recordings import Recorder, match
from robench import archive, leaderboard, weights
from robench.data import Data
from robench.errors import UserError
from robench.evaluation import NamedAttack, evaluate
from robench.panel import choose
from robench.planning import data_at_hand
from robench.rechecking import unlike_runs
from robench.runs import RunFolder, read_run, vouch
from robench.samples import Samples
from robench.verification import Finding, verify
from robench_attacks.deepfool import DeepFool
from robench_attacks.fgm import FGM
from tampering import CHANGES, samples

ATTACKS = (NamedAttack("fgm", FGM(eps=0.5)), NamedAttack("deepfool", DeepFool()))
KEPT = 6


@pytest.fixture
def attacked(runs: Path, data: Data) -> tuple[Path, str, Path]:
    """Return runs, the key of one that was attacked, and the record of its FGM."""
    victim, panel = subjects.opened(runs, data), choose(data, None, 0)
    made = [evaluate(runs, victim, one, panel, data=data, keep=KEPT)[0] for one in ATTACKS]
    return runs, victim.run.key, runs / "evaluations" / f"{made[0].key}.json"


def found(runs: Path, key: str, data_dir: Path) -> list[Finding]:
    """Return what verifying finds."""
    return list(verify(runs, key, data_dir, "cpu"))


def test_honest_records_match(attacked: tuple[Path, str, Path], tints: Path) -> None:
    runs, key, record = attacked
    findings = found(runs, key, tints)
    assert all(one.matches for one in findings)
    assert {one.compared for one in findings} == {
        *("weights", "networks named", "outcomes"),
        *("network and images", "predictions", "adversarial images"),
    }
    (predictions,) = (
        one for one in findings if (one.subject, one.compared) == (record.stem, "predictions")
    )
    assert predictions.count == 36
    done = tiny.robench("verify", key, "--runs", runs, "--data-dir", tints, "--device", "cpu")
    assert done.code == 0
    assert f"all {len(findings)} comparisons match" in done.out


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_was_changed_is_found(
    name: str, attacked: tuple[Path, str, Path], tints: Path
) -> None:
    runs, key, record = attacked
    compared, change = CHANGES[name]
    change(record)
    wrong = [one for one in found(runs, key, tints) if not one.matches]
    assert compared in {one.compared for one in wrong}
    assert {one.subject for one in wrong} == {record.stem}
    done = tiny.robench("verify", key, "--runs", runs, "--data-dir", tints, "--device", "cpu")
    assert done.code == 1
    assert "MISMATCH in" in done.out
    assert "do not match their records" in done.err


def test_other_weights_are_found(attacked: tuple[Path, str, Path], tints: Path) -> None:
    runs, key, _ = attacked
    path = runs / key / "final.safetensors"
    tensors = weights.load(path)
    weights.save(path, {name: tensor * 1.01 for name, tensor in tensors.items()}, {})
    wrong = {one.compared for one in found(runs, key, tints) if not one.matches}
    assert wrong == {"weights", "network and images"}


def test_an_unknown_run_is_refused_with_those_there_are(runs: Path, tints: Path) -> None:
    done = tiny.robench("verify", "nothing", "--runs", runs, "--data-dir", tints)
    assert done.code == 2
    assert "no finished run and no matched row 'nothing'" in done.err
    assert "folder-baseline-" in done.err
    assert "rows: none" in done.err


@pytest.fixture
def board(attacked: tuple[Path, str, Path], tmp_path: Path) -> Path:
    """Return a leaderboard of the attacked run, matched at two accuracies, without weights."""
    runs, key, _ = attacked
    run = read_run(runs / key)
    recorder = Recorder(runs)
    for target in (0.7, 0.605):
        recorder.matches([match(run, target=target, step=run.final.step)])
    leaderboard.publish(runs, tmp_path / "board")
    return tmp_path / "board"


def compared(findings: Iterable[Finding]) -> set[str]:
    """Return what was compared."""
    return {one.compared for one in findings if not one.left}


NO_WEIGHTS = {"networks named", "outcomes", "network and images", "adversarial images"}


def test_a_row_stands_for_its_matched_checkpoint(
    attacked: tuple[Path, str, Path], board: Path, tints: Path
) -> None:
    runs, key, _ = attacked
    run = read_run(runs / key)
    assert len(run.checkpoints) > 1
    whole = found(runs, key, tints)
    for row in ("baseline 0.605", "baseline  0.70", "baseline"):
        findings = found(runs, row, tints)
        assert [one.subject for one in findings if one.compared == "weights"] == [
            f"{key}, step {run.final.step}"
        ]
        others = [one for one in findings if one.compared != "weights"]
        assert others == [one for one in whole if one.compared != "weights"]
    done = tiny.robench("verify", "baseline 0.5", "--runs", runs, "--data-dir", tints)
    assert done.code == 2
    assert "rows: baseline 0.605, baseline 0.70" in done.err


def test_a_leaderboard_is_checked_without_weights(board: Path, tints: Path, tmp_path: Path) -> None:
    records, nowhere = board / "records", tmp_path / "nowhere"
    findings = list(verify(records, "baseline 0.605", tints, "cpu", nowhere))
    assert all(one.matches for one in findings)
    assert compared(findings) == NO_WEIGHTS
    assert [one.compared for one in findings if one.left] == ["predictions"]
    words = ["verify", "baseline 0.605", "--out", board, "--runs", nowhere]
    done = tiny.robench(*words, "--data-dir", tints)
    assert done.code == 0
    assert "comparisons match; not compared: predictions (folder-" in done.out.splitlines()[-1]
    done = tiny.robench(*words)
    assert done.code == 0
    assert "no weights at" in done.out.splitlines()[-1]
    assert "pixels (folder-" in done.out.splitlines()[-1]
    assert not nowhere.exists() or not list(nowhere.rglob("*.json"))


def test_a_leaderboard_is_checked_with_weights_that_are_there(
    attacked: tuple[Path, str, Path], board: Path, tints: Path
) -> None:
    runs, _, _ = attacked
    findings = list(verify(board / "records", "baseline 0.605", tints, "cpu", runs))
    assert all(one.matches and not one.left for one in findings)
    assert compared(findings) == NO_WEIGHTS | {"weights", "predictions", "validation accuracy"}


def test_weights_that_are_published_are_verified_without_runs_or_images(
    attacked: tuple[Path, str, Path], board: Path, tmp_path: Path
) -> None:
    runs, _, record = attacked
    report = ["report", "--runs", runs, "--out", board]
    assert tiny.robench(*report, "--weights", "baseline 0.605").code == 0
    nowhere = tmp_path / "nowhere"
    findings = list(verify(board / "records", "baseline 0.605", None, "cpu", nowhere))
    assert all(one.matches for one in findings)
    assert compared(findings) == {"weights", "networks named", "outcomes", "adversarial images"}
    kept = board / "records" / "evaluations" / record.name

    def other(shown: Samples) -> Samples:
        return replace(shown, image=shown.image[::-1], adversarial=shown.adversarial[::-1])

    samples(other)(kept)  # norms stay, what the network says of them does not
    wrong = [
        one
        for one in verify(board / "records", "baseline", None, "cpu", nowhere)
        if not one.matches
    ]
    assert {(one.subject, one.compared) for one in wrong} == {(record.stem, "adversarial images")}


def test_weights_of_no_row_are_refused(
    attacked: tuple[Path, str, Path], board: Path, tmp_path: Path
) -> None:
    done = tiny.robench("report", "--runs", attacked[0], "--out", board, "--weights", "pgn 0.605")
    assert done.code == 2
    assert "no matched row 'pgn 0.605'" in done.err
    assert "rows: baseline 0.605, baseline 0.70" in done.err
    done = tiny.robench("report", "--runs", tmp_path / "none", "--out", board, "--weights", "x")
    assert done.code == 2
    assert "there is no runs folder" in done.err


@pytest.mark.parametrize("at_hand", [True, False])
@pytest.mark.parametrize("name", CHANGES)
def test_changed_records_of_a_leaderboard_are_found(
    name: str, at_hand: bool, attacked: tuple[Path, str, Path], board: Path, tints: Path
) -> None:
    record = board / "records" / "evaluations" / attacked[2].name
    CHANGES[name][1](record)
    given = (tints if at_hand else None, "cpu", board / "none")
    wrong = [one for one in verify(board / "records", attacked[1], *given) if not one.matches]
    assert {one.subject for one in wrong} == {record.stem}


def test_a_record_of_other_weights_is_found(board: Path, tints: Path) -> None:
    (path,) = (board / "records").glob("folder-*/checkpoints.csv")
    text = path.read_text()
    sha256 = text.strip().splitlines()[-1].split(",")[-2]
    path.write_text(text.replace(sha256, "0" * 64))
    vouch(RunFolder(path.parent))  # as whoever changes it on purpose does
    found = archive.read(board / "records")
    assert all(any(unlike_runs(found, one)) for one in found.results)
    (run,) = found.runs
    wrong = [one for one in verify(found.root, run, tints, "cpu", board) if not one.matches]
    assert {one.compared for one in wrong} == {"networks named"}


def test_nothing_to_compare_is_no_success(board: Path, tmp_path: Path) -> None:
    for path in (board / "records" / "evaluations").iterdir():
        path.unlink()
    words = ["verify", "baseline 0.605", "--out", board, "--runs", tmp_path / "none"]
    done = tiny.robench(*words)
    assert (done.code, done.out) == (1, "")
    assert "nothing of baseline 0.605 was compared" in done.err
    done = tiny.robench("verify", "baseline", "--out", tmp_path / "nowhere")
    assert done.code == 2
    assert "no records in" in done.err


def test_a_record_does_not_have_a_data_set_s_file_run(
    attacked: tuple[Path, str, Path], tmp_path: Path
) -> None:
    runs, key, _ = attacked
    evil = tmp_path / "evil.py"
    evil.write_text("raise SystemExit('run')")
    spec = replace(read_run(runs / key).spec, dataset=f"{evil}:Evil")
    with pytest.raises(UserError, match="no such file is run"):
        data_at_hand(spec, None, runs, "cpu")
