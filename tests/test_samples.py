"""What an evaluation stores of each image: norms, and some of the images themselves."""

import io
import shutil
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import recordings
import subjects
import tiny
from robench import arrays
from robench.campaign import KEPT
from robench.data import Data
from robench.errors import UserError
from robench.evaluation import NamedAttack, evaluate
from robench.metrics import mean_norm
from robench.outcomes import Outcomes
from robench.panel import choose
from robench.records import Evaluation
from robench.samples import Samples, samples_path
from robench_attacks.cw import CarliniWagner
from robench_attacks.fgm import FGM

WEAK = NamedAttack("fgm", FGM(eps=0.5))


def record_of(runs: Path, made: Evaluation) -> Path:
    """Return the path of an evaluation's record."""
    return runs / "evaluations" / f"{made.key}.json"


def test_norm_is_stored_of_what_failed_too(runs: Path, data: Data) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, None, 0)
    made, _ = evaluate(runs, victim, WEAK, panel, data=data)
    found = Outcomes.load(record_of(runs, made).with_suffix(".npz"))
    assert not found.success.all()
    assert np.isinf(found.distance[~found.success]).all()
    fooled = found.success & found.correct
    np.testing.assert_array_equal(found.norm[fooled], found.distance[fooled])
    assert (found.distance[~found.correct] == 0).all()
    assert found.norm.dtype == np.float32
    assert (found.norm <= 0.5001).all()
    assert (found.norm > 0.3).all()  # the box cuts some of it off
    assert mean_norm(found) == pytest.approx(found.norm.astype(np.float64).mean())


def test_records_of_before_norms_were_stored_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.npz"
    whole = recordings.outcomes([True, True, False], [0.25, np.inf, 0.0])
    old = asdict(whole)
    del old["norm"]
    arrays.save(path, old)
    read = Outcomes.load(path)
    np.testing.assert_array_equal(read.norm, np.array([0.25, np.nan, 0.0], dtype=np.float32))
    assert read.norm.dtype == np.float32
    for name, array in old.items():
        np.testing.assert_array_equal(getattr(read, name), array)
    assert np.isnan(mean_norm(read))
    whole.save(path)
    assert Outcomes.load(path).norm.tolist() == [0.25, 0.5, 0.0]


def test_mean_norm_is_over_all_images() -> None:
    found = recordings.outcomes([True, True, False], [0.25, np.inf, 0.0])
    assert mean_norm(found) == pytest.approx(0.25)
    assert np.isnan(mean_norm(replace(found, norm=np.array([0.25, np.nan, 0.0], dtype=np.float32))))
    assert np.isnan(mean_norm(replace(found, norm=np.zeros(0, dtype=np.float32))))


def test_samples_are_images_of_all_classes(runs: Path, data: Data) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, 9, 0)
    assert (np.diff(panel.y) >= 0).all()  # listed by class
    made, _ = evaluate(runs, victim, WEAK, panel, data=data, keep=4)
    kept = Samples.load(samples_path(record_of(runs, made)))
    measured = Outcomes.load(record_of(runs, made).with_suffix(".npz"))
    assert samples_path(record_of(runs, made)).name == f"{made.key}.samples.npz"
    assert len(kept) == 4
    assert set(kept.label.tolist()) == {0, 1, 2}
    at = measured.places(kept.index)
    assert at is not None
    np.testing.assert_array_equal(kept.image, panel.x[at])
    assert kept.adversarial.dtype == np.float32
    moved = (kept.adversarial.astype(np.float64) - kept.image).reshape(4, -1)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), measured.norm[at], rtol=1e-6)
    np.testing.assert_array_equal(kept.label, panel.y[at])
    np.testing.assert_array_equal(kept.clean, measured.clean[at])
    np.testing.assert_array_equal(kept.predicted, measured.adversarial[at])


def test_an_evaluation_with_too_few_samples_is_made_again(runs: Path, data: Data) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, 9, 0)

    def made(keep: int) -> bool:
        record, new = evaluate(runs, victim, WEAK, panel, data=data, keep=keep)
        path = samples_path(record_of(runs, record))
        assert not keep or len(Samples.load(path)) >= min(keep, 9)
        return new

    assert [made(keep) for keep in (0, 0, 2, 2, 1, 0, 5, 3)] == [
        *(True, False),  # none asked for, none needed
        *(True, False, False, False),
        *(True, False),
    ]
    assert made(100)  # there are nine
    assert not made(100)


def test_fewer_samples_are_made_again_only_where_asked(runs: Path, data: Data) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, 9, 0)

    def made(keep: int, *, again: bool) -> tuple[bool, int]:
        record, new = evaluate(runs, victim, WEAK, panel, data=data, keep=keep, again=again)
        path = samples_path(record_of(runs, record))
        return new, len(Samples.load(path)) if path.exists() else 0

    assert made(0, again=False) == (True, 0)
    assert made(4, again=False) == (False, 0)
    assert made(4, again=True) == (True, 4)
    assert made(8, again=False) == (False, 4)


def test_an_evaluation_keeps_some_images_by_itself(
    stock: Path, tints: Path, tmp_path: Path
) -> None:
    runs = shutil.copytree(stock, tmp_path / "runs")
    words = ["eval", "--matched-accuracy", 0.99, "--tolerance", 0.02, "--runs", runs]
    words += ["--data-dir", tints, "--device", "cpu"]
    words += ["--attack", "fgm", "--no-audit", "--images", 9]

    def kept(*more: object) -> set[int]:
        done = tiny.robench(*words, *more)
        assert done.code == 0, done.err
        records = list((runs / "evaluations").glob("*.json"))
        assert len(records) >= 2
        paths = [samples_path(path) for path in records]
        return {len(Samples.load(path)) if path.exists() else 0 for path in paths}

    assert kept("--keep", 0) == {0}
    assert kept() == {0}  # what is there is not made again for the default
    assert kept("--keep", 3) == {3}
    assert kept() == {3}
    shutil.rmtree(runs / "evaluations")
    assert kept() == {KEPT}
    assert kept("--keep", 100) == {9}
    done = tiny.robench(*words, "--keep", -1)
    assert done.code == 2
    assert "--keep -1 is not at least 0" in done.err


def test_samples_of_the_black_box_side_are_the_source_s(runs: Path, data: Data) -> None:
    victim, source = (subjects.opened(runs, data, seed) for seed in (0, 1))
    panel = choose(data, 6, 0)
    cw = NamedAttack("cw", CarliniWagner(steps=5, searches=1))
    made, _ = evaluate(runs, victim, cw, panel, source, data=data, keep=6)
    own, _ = evaluate(runs, source, cw, panel, data=data, keep=6)
    shown, by_source = (Samples.load(samples_path(record_of(runs, one))) for one in (made, own))
    np.testing.assert_allclose(shown.adversarial, by_source.adversarial, atol=1e-6)


def no_samples() -> bytes:
    """Return an archive of other arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, index=np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"no archive", no_samples()])
def test_damaged_samples_are_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.samples.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x.samples.npz cannot be read .*; delete it"):
        Samples.load(path)
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        Samples.load(path)


def test_samples_of_odd_arrays_are_refused(tmp_path: Path) -> None:
    path, count = tmp_path / "x.samples.npz", 3
    numbers = np.zeros(count, dtype=np.int16)
    images = np.zeros((count, 1, 8, 8), dtype=np.float32)
    whole: dict[str, NDArray[Any]] = {field.name: numbers for field in fields(Samples)}
    whole |= {"image": images, "adversarial": images}
    arrays.save(path, whole)
    assert len(Samples.load(path)) == 3
    arrays.save(path, whole | {"image": images[:, :, :4]})
    with pytest.raises(UserError, match="odd shapes"):
        Samples.load(path)
    arrays.save(path, whole | {"label": numbers[:2]})
    with pytest.raises(UserError, match="unequal length"):
        Samples.load(path)
    arrays.save(path, whole | {"label": np.zeros(())})
    with pytest.raises(UserError, match="cannot be read"):
        Samples.load(path)


def test_pickled_samples_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.samples.npz"
    whole = {field.name: np.zeros(3) for field in fields(Samples)}
    buffer = io.BytesIO()
    np.savez(buffer, **whole | {"label": np.array([{}] * 3, dtype=object)})
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="allow_pickle=False"):
        Samples.load(path)
