"""Verifying: an honest record matches, and each number in it that was changed is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import subjects
import tiny
from robench import weights
from robench.data import Data
from robench.evaluation import NamedAttack, evaluate
from robench.outcomes import Outcomes
from robench.panel import choose
from robench.samples import Samples, samples_path
from robench.verification import Finding, verify
from robench_attacks.deepfool import DeepFool
from robench_attacks.fgm import FGM

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
        *("weights", "network and images", "predictions", "adversarial images")
    }
    (predictions,) = (
        one for one in findings if (one.subject, one.compared) == (record.stem, "predictions")
    )
    assert predictions.count == 36
    done = tiny.robench("verify", key, "--runs", runs, "--data-dir", tints, "--device", "cpu")
    assert done.code == 0
    assert f"all {len(findings)} comparisons match" in done.out


def outcomes(change: Callable[[Outcomes], Outcomes]) -> Callable[[Path], None]:
    """Return what rewrites the outcomes beside a record."""

    def rewrite(record: Path) -> None:
        path = record.with_suffix(".npz")
        change(Outcomes.load(path)).save(path)

    return rewrite


def samples(change: Callable[[Samples], Samples]) -> Callable[[Path], None]:
    """Return what rewrites the images kept beside a record."""

    def rewrite(record: Path) -> None:
        change(Samples.load(samples_path(record))).save(samples_path(record))

    return rewrite


def turned(classes: np.ndarray) -> np.ndarray:
    """Return other classes, of the three there are, for the first image."""
    return np.concatenate([(classes[:1] + 1) % 3, classes[1:]])


CHANGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a class before the attack": (
        "predictions",
        outcomes(lambda o: replace(o, clean=turned(o.clean))),
    ),
    "a class after it": (
        "adversarial images",
        outcomes(lambda o: replace(o, adversarial=turned(o.adversarial))),
    ),
    "a success": (
        "adversarial images",
        outcomes(lambda o: replace(o, success=np.concatenate([~o.success[:1], o.success[1:]]))),
    ),
    "a norm": (
        "adversarial images",
        outcomes(lambda o: replace(o, norm=o.norm * np.float32(0.99))),
    ),
    "which images": (
        "network and images",
        outcomes(lambda o: replace(o, index=o.index[::-1].copy())),
    ),
    "an image that there is none of": (
        "network and images",
        outcomes(lambda o: replace(o, index=o.index + np.int32(1000))),
    ),
    "a pixel of an adversarial image": (
        "adversarial images",
        samples(lambda s: replace(s, adversarial=np.clip(s.adversarial + 0.01, 0, 1))),
    ),
    "a pixel of a clean image": (
        "adversarial images",
        samples(lambda s: replace(s, image=s.image * np.float32(0.9))),
    ),
    "NaN in an adversarial image": (
        "adversarial images",
        samples(lambda s: replace(s, adversarial=s.adversarial * np.float32(np.nan))),
    ),
}


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
    assert "no finished run 'nothing'" in done.err
    assert "folder-baseline-" in done.err
