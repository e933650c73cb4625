"""One process at a time trains a run, and a state whose bytes have changed is not taken up."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from safetensors import safe_open

import tiny
from robench import weights
from robench.claim import ENDING, EXPIRY, Busy, Lost, claimed, leases
from robench.errors import UserError
from robench.holder import myself
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

CONTENDS = """
import os, sys
from pathlib import Path
from robench.claim import Busy, claimed
log = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
times = 0
while times < 10:
    try:
        with claimed(Path(sys.argv[1])):
            os.write(log, f"+{os.getpid()} ".encode())
            os.write(log, f"-{os.getpid()} ".encode())
            times += 1
    except Busy:
        pass
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
    with pytest.raises(Busy, match=says), claimed(tmp_path / "run"):
        pytest.fail("let in")
    assert len(leases(tmp_path / "run")) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_who_was_killed_keeps_nobody_out(
    how: signal.Signals, holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    holder.send_signal(how)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    left = leases(tmp_path / "run")
    with claimed(tmp_path / "run") as claim:
        (held,) = leases(tmp_path / "run")
        assert held.path == claim.path
        assert held not in left
    assert leases(tmp_path / "run") == []


def test_a_claim_ends_with_its_block_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claimed(tmp_path):
        raise ZeroDivisionError
    with claimed(tmp_path), pytest.raises(UserError), claimed(tmp_path):
        pytest.fail("let in")
    assert list(tmp_path.iterdir()) == []


def elsewhere(folder: Path, ago: float, **changed: Any) -> Path:
    """Write the lease of a process on another host, renewed so many seconds ago."""
    other = replace(myself(EXPIRY), **{"host": "other", "place": "other", **changed})
    path = folder / f".1-other{ENDING}"
    path.write_text(other.as_text())
    now = path.stat().st_mtime
    os.utime(path, (now - ago, now - ago))
    return path


def test_a_lease_of_another_host_holds_until_it_runs_out(tmp_path: Path) -> None:
    elsewhere(tmp_path, EXPIRY - 5)
    with pytest.raises(Busy, match=f"by process {os.getpid()} on other; "), claimed(tmp_path):
        pytest.fail("let in")
    old = elsewhere(tmp_path, EXPIRY + 5)
    with claimed(tmp_path):
        assert not old.exists()


def test_a_lease_says_itself_how_long_it_holds(tmp_path: Path) -> None:
    elsewhere(tmp_path, 500.0, expiry=1000.0)
    with pytest.raises(Busy), claimed(tmp_path):
        pytest.fail("let in")


def test_a_later_process_of_the_same_number_is_another(tmp_path: Path) -> None:
    elsewhere(tmp_path, 5.0, place=myself(0.0).place, started="1")
    with claimed(tmp_path):
        pass


def test_a_living_process_of_this_host_is_not_outwaited(tmp_path: Path) -> None:
    elsewhere(tmp_path, 10 * EXPIRY, place=myself(0.0).place)  # suspended, say
    with pytest.raises(Busy), claimed(tmp_path):
        pytest.fail("let in")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": "x"}', "\0" * 100])
def test_a_lease_that_says_nothing_holds_until_it_runs_out(text: str, tmp_path: Path) -> None:
    path = elsewhere(tmp_path, 0.0)
    path.write_text(text)
    with pytest.raises(Busy, match="by another process; "), claimed(tmp_path):
        pytest.fail("let in")
    os.utime(path, (0, 0))
    with claimed(tmp_path):
        assert not path.exists()


def test_who_was_taken_over_stops_before_it_writes(tints: Path, tmp_path: Path) -> None:
    planned = tiny.planned("baseline", tints, tmp_path, epochs=3)
    folder = RunFolder(tmp_path / planned.spec.key)
    first = _begun(planned)
    next(first)
    (held,) = leases(folder.path)
    held.path.unlink()
    before = tiny.snapshot(tmp_path)
    with claimed(folder.path), pytest.raises(Lost, match="was taken over by another process"):
        next(first)
    assert tiny.snapshot(tmp_path) == before


def test_a_lease_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robench.claim.BEAT", 0.01)
    with claimed(tmp_path) as claim:
        os.utime(claim.path, (0, 0))
        while not claim.path.stat().st_mtime:
            time.sleep(0.01)


def test_of_many_at_once_one_is_in_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CONTENDS, str(tmp_path / "run"), str(tmp_path / "log")]
    several = [subprocess.Popen(command) for _ in range(4)]
    assert [one.wait() for one in several] == [0] * 4
    told = (tmp_path / "log").read_text().split()
    assert len(told) == 4 * 10 * 2
    for came, went in zip(told[::2], told[1::2], strict=True):
        assert (came[0], went[0]) == ("+", "-")
        assert came[1:] == went[1:]
    assert leases(tmp_path / "run") == []


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
    assert leases(folder.path) == []


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
