"""Interrupted anywhere, a run goes on from its last epoch and ends with the same bytes."""

import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import dying
import tiny
from robench.errors import UserError
from robench.planning import Plan
from robench.runs import RunFolder

REQUEST = {"epochs": 2, "batch_size": 36}
LONG = {"epochs": 3, "batch_size": 2, "set": "eps=0.2"}
"""Epochs of 33 steps, long enough to be caught in."""


def outcome(folder: Path) -> dict[str, object]:
    """Return every file of a run but its manifest, and of the history all but the seconds.

    DONE holds the hashes of both: what is left of it are their names.
    """
    found: dict[str, object] = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    lines = [line.split(",") for line in (folder / "history.csv").read_text().splitlines()]
    seconds = lines[0].index("seconds")
    found["history.csv"] = [line[:seconds] + line[seconds + 1 :] for line in lines]
    if (folder / "DONE").exists():
        found["DONE"] = [line.split()[1] for line in (folder / "DONE").read_text().splitlines()]
    return found


def folder_of(planned: Plan) -> RunFolder:
    """Return the paths of a planned run."""
    return RunFolder(planned.root / planned.spec.key)


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    """Return a context whose processes start with the heavy imports done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["robench.training", "robench.planning", "torch._dynamo"])
    return context


def test_killed_before_any_write(server: ForkServerContext, tints: Path, tmp_path: Path) -> None:
    whole = tiny.planned("pgn", tints, tmp_path / "whole", **REQUEST)
    assert len(tiny.epochs(whole)) == 2
    write, killed = 0, -signal.SIGKILL
    while killed == -signal.SIGKILL:
        write += 1
        runs = tmp_path / str(write)
        process = server.Process(target=dying.train, args=(write, "pgn", tints, runs, REQUEST))
        process.start()
        process.join()
        assert process.exitcode is not None
        killed = process.exitcode
        planned = tiny.planned("pgn", tints, runs, **REQUEST)
        assert folder_of(planned).done.exists() == (killed == 0)
        rows = tiny.epochs(planned)
        assert [row.epoch for row in rows] == [1, 2][2 - len(rows) :]
        assert outcome(folder_of(planned).path) == outcome(folder_of(whole).path)
    assert killed == 0  # the last one had no such write
    assert write > 10  # a manifest; a state and two tables an epoch; weights, tables, DONE


@contextmanager
def training(data: Path, runs: Path, epochs: int = 3) -> Iterator[subprocess.Popen[str]]:
    """Yield a `robench train` that has stored its first epoch and is in the second."""
    given = {**LONG, "epochs": epochs, "defense": "pgd"}
    words = [str(word) for word in tiny.options(data, runs, **given)]
    command = [sys.executable, "-m", "robench", "train", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        seen = ""
        while not seen.startswith("epoch 1/"):
            seen = process.stdout.readline()
            assert seen, process.stderr and process.stderr.read()
        try:
            yield process
        finally:
            process.kill()


def test_killed_in_the_middle_of_an_epoch(tints: Path, tmp_path: Path) -> None:
    with training(tints, tmp_path / "killed") as process:
        (folder,) = (RunFolder(path) for path in (tmp_path / "killed").glob("folder-*"))
        time.sleep(0.05)  # a few steps into the second epoch
        process.kill()
        assert process.wait() == -signal.SIGKILL
    stored = len(folder.history.read_text().splitlines()) - 1
    assert stored in (1, 2)  # 2 on a machine that is very busy
    for runs, done in (("killed", stored), ("whole", 0)):
        ended = tiny.robench("train", *tiny.options(tints, tmp_path / runs, defense="pgd", **LONG))
        epochs = [line.split()[1] for line in ended.out.splitlines()[1:]]
        assert epochs == ["1/3", "2/3", "3/3"][done:]
    assert outcome(folder.path) == outcome(tmp_path / "whole" / folder.path.name)


def test_interrupt_is_one_line_and_exit_code_130(tints: Path, tmp_path: Path) -> None:
    with training(tints, tmp_path, epochs=50) as process:  # not to end before the signal comes
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("\nInterrupted; to go on from what is stored: robench train --dataset ")
    assert err.count("\n") == 2


def test_rungs_of_an_unfinished_epoch_are_removed(tints: Path, tmp_path: Path) -> None:
    whole = tiny.planned("baseline", tints, tmp_path / "whole", epochs=2, batch_size=8)
    tiny.epochs(whole)
    planned = tiny.planned("baseline", tints, tmp_path, epochs=2, batch_size=8)
    folder = folder_of(planned)
    folder.rungs.mkdir(parents=True)
    (folder.rungs / "step-0000003.safetensors").write_bytes(b"of an epoch that never ended")
    (folder.rungs / ".step-0000004.safetensors-x.partial").write_bytes(b"of a write that")
    (folder.path / ".DONE-x.partial").write_bytes(b"")
    tiny.epochs(planned)
    assert outcome(folder.path) == outcome(folder_of(whole).path)


def test_state_left_after_done_is_removed(tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned("baseline", tints, tmp_path)
    tiny.epochs(planned)
    before = tiny.snapshot(tmp_path)
    folder_of(planned).state.write_bytes(b"of a run killed between its last two steps")
    assert tiny.epochs(planned) == []
    assert tiny.snapshot(tmp_path) == before


@pytest.mark.parametrize("damage", ["truncated", "text", "another run's"])
def test_damaged_state_is_told_and_left_alone(damage: str, tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned("baseline", tints, tmp_path, epochs=2)
    next(tiny.stepwise(planned))
    other = tiny.planned("baseline", tints, tmp_path, epochs=2, seed=1)
    next(tiny.stepwise(other))
    state = folder_of(planned).state
    damaged = {
        "truncated": state.read_bytes()[:-100],
        "text": b"no tensors",
        "another run's": folder_of(other).state.read_bytes(),
    }[damage]
    state.write_bytes(damaged)
    words = f"is of the run {other.spec.key}" if damage == "another run's" else "is damaged"
    with pytest.raises(UserError, match=f"state.safetensors {words}.*delete it"):
        tiny.epochs(planned)
    assert state.read_bytes() == damaged
