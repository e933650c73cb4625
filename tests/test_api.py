"""The Python interface: the same verbs, records as frames."""

import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import robench
import tiny
from robench import api, errors
from robench.records import Run

TARGET = 0.999
INTERVALS = ["benign", "accuracy", "success", "rho", "rho_correct", "median"]


def request(data: Path | str, runs: Path | str, **more: Any) -> dict[str, Any]:
    """Return the keywords of a small `robench.train`."""
    given = {**tiny.SMALL, "settings": {"model.width": 0.1}, "data_dir": data, "runs": runs}
    return given | more


@pytest.fixture(scope="module")
def runs(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two trained and evaluated runs; not to be changed."""
    runs = tmp_path_factory.mktemp("runs")
    robench.train("baseline", **request(tints, runs))
    robench.train("fgm", **request(tints, runs, settings={"model.width": 0.1, "eps": 0.3}))
    return runs


@pytest.fixture(scope="module")
def frame(runs: Path, tints: Path) -> pd.DataFrame:
    """Return what evaluating them returned."""
    given: dict[str, Any] = {
        "tolerance": TARGET - 1e-9,
        "attacks": ("fgm", "deepfool"),
        "images": 9,
    }
    return robench.evaluate(TARGET, data_dir=tints, runs=runs, device="cpu", **given)


def test_importing_robench_imports_nothing_heavy() -> None:
    code = "import sys, robench; print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "set()\n"


def test_public_names() -> None:
    assert robench.UserError is errors.UserError
    assert robench.RunFailed is errors.RunFailed
    assert issubclass(robench.RunFailed, robench.UserError)
    for name in ("train", "evaluate", "report", "reproduce", "study", "checkpoints", "evaluations"):
        assert getattr(robench, name) is getattr(api, name)
        assert name in robench.__all__
        assert getattr(api, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        robench.trian  # noqa: B018  # asked for, that is all


def test_package_is_typed() -> None:
    assert files("robench").joinpath("py.typed").is_file()


def test_train_returns_the_run_and_reads_one_that_is_there(runs: Path, tints: Path) -> None:
    before = tiny.snapshot(runs)
    run = robench.train("baseline", **request(str(tints), str(runs)))
    assert isinstance(run, Run)
    assert run.final.accuracy == run.history[-1].accuracy
    assert (runs / run.key / run.final.file).is_file()
    assert tiny.snapshot(runs) == before


def test_evaluate_returns_what_matched(frame: pd.DataFrame, runs: Path) -> None:
    assert len(frame) == 2 * 2 * 2
    assert set(frame["defense"]) == {"baseline", "fgm"}
    assert set(frame["attack"]) == {"fgm", "deepfool"}
    assert frame["white_box"].tolist().count(True) == 4
    assert set(frame["images"]) == {9}
    everything = robench.evaluations(runs)
    pd.testing.assert_frame_equal(
        frame.sort_values("key", ignore_index=True),
        everything.sort_values("key", ignore_index=True),
    )


def test_columns_of_evaluations(frame: pd.DataFrame) -> None:
    own = ["key", "run", "defense", "variant", "seed", "step", "attack", "engine", "precision"]
    own += ["white_box", "images"]
    measured = [name + end for name in INTERVALS for end in ("", "_low", "_high")]
    assert list(frame.columns) == own + measured
    documented = (api.evaluations.__doc__ or "") + (api.checkpoints.__doc__ or "")
    assert all(name in documented for name in own + INTERVALS)
    for name in ("benign", "accuracy", "success"):
        known = frame[frame[name].notna()]
        assert (known[f"{name}_low"] <= known[name]).all()
        assert (known[name] <= known[f"{name}_high"]).all()
        assert known[name].between(0, 1).all()
    assert len(frame[frame["benign"].notna()]) == len(frame)


def test_columns_of_checkpoints(runs: Path) -> None:
    found = robench.checkpoints(runs)
    names = ["run", "defense", "variant", "seed", "dataset", "step", "epoch", "accuracy", "final"]
    assert list(found.columns) == [*names, "seconds_per_epoch"]
    assert all(name in (api.checkpoints.__doc__ or "") for name in found.columns)
    assert sorted(found[found["final"]]["defense"]) == ["baseline", "fgm"]
    assert found["accuracy"].between(0, 1).all()
    assert (found["seconds_per_epoch"] > 0).all()


def test_no_records_are_empty_frames_of_the_same_columns(
    frame: pd.DataFrame, runs: Path, tmp_path: Path
) -> None:
    for read, filled in (
        (robench.evaluations, frame),
        (robench.checkpoints, robench.checkpoints(runs)),
    ):
        empty = read(tmp_path)
        assert len(empty) == 0
        assert list(empty.columns) == list(filled.columns)


def test_report_writes_the_page_and_its_records(
    frame: pd.DataFrame, runs: Path, tmp_path: Path
) -> None:
    page = robench.report(str(runs), str(tmp_path / "board"))
    assert page == tmp_path / "board" / "README.md"
    assert "fgm" in page.read_text()
    pd.testing.assert_frame_equal(robench.evaluations(page.parent / "records"), frame)


def test_what_cannot_be_had_is_a_user_error(runs: Path, tints: Path, tmp_path: Path) -> None:
    for asked in ({"precision": "half"}, {"epochs": 0}, {"device": "gpu"}, {"dataset": "cifar"}):
        with pytest.raises(robench.UserError, match=str(next(iter(asked.values())))):
            robench.train("baseline", **request(tints, tmp_path, **asked))
    with pytest.raises(robench.UserError, match="70 is not between 0 and 1"):
        robench.evaluate(70, runs=runs, data_dir=tints)
    with pytest.raises(robench.UserError, match="no finished run"):
        robench.evaluate(0.7, runs=tmp_path)
    copy = shutil.copytree(runs, tmp_path / "copy")
    with pytest.raises(robench.RunFailed, match="no checkpoint matches"):
        robench.evaluate([0.111, 0.123], runs=copy, data_dir=tints)
