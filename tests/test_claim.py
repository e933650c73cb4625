"""One process at a time trains a run, and a state whose bytes have changed is not taken up."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from safetensors import safe_open

import tiny
from robench import weights
from robench.claim import NAME, claimed
from robench.errors import UserError
from robench.planning import Plan
from robench.records import Epoch
from robench.runs import RunFolder

HOLDS = """
import sys, time
from pathlib import Path
from robench.claim import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return another process that is at work on `tmp_path / "run"`."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield other
        other.kill()


def test_another_is_kept_out_and_told_who_is_there(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    says = f"run is being worked on by process {holder.pid} on "
    with pytest.raises(UserError, match=says), claimed(tmp_path / "run"):
        pytest.fail("let in")
    assert (tmp_path / "run" / NAME).exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_who_was_killed_keeps_nobody_out(
    how: signal.Signals, holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    holder.send_signal(how)
    holder.wait()
    with claimed(tmp_path / "run"):
        assert (tmp_path / "run" / NAME).exists()
    assert not (tmp_path / "run" / NAME).exists()


def test_a_claim_ends_with_its_block_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claimed(tmp_path):
        raise ZeroDivisionError
    with claimed(tmp_path), pytest.raises(UserError), claimed(tmp_path):
        pytest.fail("let in")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_replaced_meanwhile_is_not_one(tmp_path: Path) -> None:
    with claimed(tmp_path):
        os.replace(_written(tmp_path / "other"), tmp_path / NAME)
        with claimed(tmp_path):  # of the file that lies there now
            pass


def _written(path: Path) -> Path:
    path.write_text("")
    return path


def _begun(planned: Plan) -> Generator[Epoch, None, None]:
    return cast(Generator[Epoch, None, None], tiny.stepwise(planned))


def test_a_run_in_training_is_not_trained_by_another(tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned("baseline", tints, tmp_path, epochs=3)
    folder = RunFolder(tmp_path / planned.spec.key)
    with closing(_begun(planned)) as first:
        next(first)
        before = tiny.snapshot(tmp_path)
        options = tiny.options(tints, tmp_path, epochs=3)
        done = tiny.robench("train", "--defense", "baseline", *options)
        assert done.code == 2
        assert f"worked on by process {os.getpid()}" in done.err
        assert tiny.snapshot(tmp_path) == before
        assert len(list(first)) == 2
    assert folder.done.exists()
    assert not (folder.path / NAME).exists()


def test_a_finished_run_is_read_without_a_lock(tints: Path, tmp_path: Path) -> None:
    run = tiny.trained("baseline", tints, tmp_path)
    with claimed(tmp_path / run.key):
        assert tiny.epochs(tiny.planned("baseline", tints, tmp_path)) == []


def interrupted(data: Path, runs: Path) -> Path:
    """Train one epoch of three; return the state."""
    planned = tiny.planned("baseline", data, runs, epochs=3)
    with closing(_begun(planned)) as first:
        next(first)
    return RunFolder(runs / planned.spec.key).state


def test_every_flipped_byte_of_a_state_is_noticed(tints: Path, tmp_path: Path) -> None:
    state = interrupted(tints, tmp_path)
    whole = state.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    options = tiny.options(tints, tmp_path, epochs=3)
    for place in (header, header + 1001, (header + len(whole)) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        state.write_bytes(damaged)
        done = tiny.robench("train", "--defense", "baseline", *options)
        assert done.code == 2
        assert f"{state} is damaged (its bytes are not those that were written); delete it" in (
            done.err
        )
        assert state.read_bytes() == bytes(damaged)
    state.write_bytes(whole)
    assert tiny.robench("train", "--defense", "baseline", *options).code == 0


def test_a_number_changed_in_the_state_s_text_is_noticed(tints: Path, tmp_path: Path) -> None:
    state = interrupted(tints, tmp_path)
    with safe_open(state, framework="pt") as file:
        metadata = dict(file.metadata())
    content = json.loads(metadata["robench"])
    content["history"][0]["accuracy"] += 0.25
    weights.save(state, weights.load(state), metadata | {"robench": json.dumps(content)})
    with pytest.raises(UserError, match="its bytes are not those that were written"):
        tiny.epochs(tiny.planned("baseline", tints, tmp_path, epochs=3))


def test_a_state_of_before_the_hash_is_taken_up(tints: Path, tmp_path: Path) -> None:
    state = interrupted(tints, tmp_path)
    with safe_open(state, framework="pt") as file:
        metadata = dict(file.metadata())
    weights.save(state, weights.load(state), {"robench": metadata["robench"]})
    rest = tiny.epochs(tiny.planned("baseline", tints, tmp_path, epochs=3))
    assert [row.epoch for row in rest] == [2, 3]
