"""One fault after another, each from a fresh copy of what an undisturbed run left before it."""

import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from soak import advice, comparison, damage
from soak.comparison import outcome
from soak.damage import Damage
from soak.disk import Tmpfs
from soak.faults import DAMAGES, SIGNALS, Fault
from soak.processes import Ended, Processes
from soak.subject import RUNS, SCRIPT, verifications

ROUNDS = 6
"""Errors in a row after which a fault counts as lost."""
Outcome = Literal["same", "named", "lost", "wrong", "unclear"]


@dataclass(frozen=True)
class Verdict:
    """How a fault ended.

    same: as if nothing had been. named: so, too, once what an error said had been done.
    lost: no way to the end. wrong: another end. unclear: an error that is no clear line.
    """

    fault: Fault
    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class Stage:
    """A command of the undisturbed run."""

    before: Path
    """What lay there before it."""
    after: Path
    seconds: float
    writes: int
    written: int
    """Bytes that lie in files which it put there."""
    largest: int
    """Of its files."""


class Failed(Exception):
    """A fault ended otherwise than it may."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        """Tell how."""
        super().__init__(detail)
        self.outcome: Outcome = outcome


def undisturbed(processes: Processes, place: Path) -> list[Stage]:
    """Run the script once, keeping what lies there after each command."""
    before = place / "0"
    before.mkdir(parents=True)
    stages = []
    for number, words in enumerate(SCRIPT, start=1):
        after = shutil.copytree(before, place / str(number))
        ended, writes = processes.writes(words, after)
        assert ended.code == 0, ended
        old = {path.relative_to(before) for path in damage.files(before)}
        new = [path for path in damage.files(after) if path.relative_to(after) not in old]
        sizes = [path.stat().st_size for path in new]
        stages.append(Stage(before, after, ended.seconds, writes, sum(sizes), max(sizes)))
        before = after
    return stages


def verdicts(
    processes: Processes, stages: list[Stage], faults: list[Fault], place: Path
) -> Iterator[Verdict]:
    """Yield what became of each fault."""
    whole = outcome(stages[-1].after)
    for fault in faults:
        folder = place / f"fault-{fault.number}"
        try:
            named = _one(processes, stages[fault.command], fault, folder, whole)
            yield Verdict(fault, "named" if named else "same", " | ".join(named))
        except Failed as failed:
            yield Verdict(fault, failed.outcome, str(failed))
            continue  # the folder stays, to be looked at
        shutil.rmtree(folder, ignore_errors=True)


def _one(
    processes: Processes, stage: Stage, fault: Fault, folder: Path, whole: dict[str, object]
) -> list[str]:
    """Let one fault happen and go on to the end; return the errors that named a file."""
    done, named = _happen(processes, stage, fault, folder), list[str]()
    # Damage shows anywhere; what is before a disturbed command was finished.
    _to_the_end(processes, folder, named, SCRIPT if done else SCRIPT[fault.command :])
    gone = done is not None and not _lies(done, folder) and whole.keys() - outcome(folder).keys()
    if done and (gone or _lies(done, folder)):
        # Nothing on the way asked again for what an error had deleted, or read it: make what does.
        for name in ("evaluations", "adversarials") if gone else ("evaluations",):
            shutil.rmtree(folder / RUNS / name, ignore_errors=True)
        _to_the_end(processes, folder, named, [*SCRIPT, *verifications(folder)])
    if done and (there := _lies(done, folder)):
        raise Failed("wrong", f"unnoticed: {', '.join(there)}; {_where(done)}")
    if wrong := comparison.differing(whole, outcome(folder)):
        where = f"; {_where(done)}" if done else ""
        raise Failed("wrong", f"differ: {', '.join(wrong)}{where}; errors: {named}")
    return named


def _lies(done: Damage, folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in done.lies_in(folder)]


def _where(done: Damage) -> str:
    pairs = zip(done.before, done.after, strict=False)
    places = [place for place, (old, new) in enumerate(pairs) if old != new]
    return f"byte {places[0] if places else len(done.after)} of {len(done.before)} of {done.path}"


def _happen(processes: Processes, stage: Stage, fault: Fault, folder: Path) -> Damage | None:
    words = SCRIPT[fault.command]
    if fault.kind == "full tmpfs":
        _on_a_small_disk(processes, stage, fault, folder)
        return None
    shutil.copytree(stage.before, folder)
    if fault.kind in DAMAGES:
        if fault.killed:
            _struck(processes, folder, fault, signal.SIGKILL, stage.seconds)
        else:
            shutil.copytree(stage.after, folder, dirs_exist_ok=True)
        return damage.inflict(fault, folder) if damage.files(folder) else None
    if fault.kind in SIGNALS:
        number = signal.Signals[fault.kind]
        ended = _struck(processes, folder, fault, number, fault.moment * stage.seconds)
        _check(ended, {0, 130 if number == signal.SIGINT else -number})
    elif fault.kind == "two processes":
        _check_pair(_both(processes, folder, words, fault.moment * stage.seconds))
    else:
        _check(processes.run(words, folder, _disturbance(fault, stage, folder)), _codes(fault))
    return None


def _disturbance(fault: Fault, stage: Stage, folder: Path) -> Mapping[str, Any]:
    if fault.kind == "killed at a write":
        return {"kind": "die", "write": 1 + int(fault.moment * stage.writes)}
    if fault.kind == "full disk":
        return {"kind": "full", "bytes": int(fault.moment * stage.written)}
    if fault.kind == "file limit":
        return {"kind": "limit", "bytes": int(fault.moment * stage.largest)}
    days = (fault.moment - 0.5) * 3000
    for path in damage.files(folder):
        os.utime(path, (time.time() + days * 86400,) * 2)
    return {"kind": "clock", "seed": fault.seed}


def _codes(fault: Fault) -> set[int]:
    """Return how a disturbed command may exit."""
    return {
        "killed at a write": {0, -signal.SIGKILL},
        "full disk": {0, 2},
        "file limit": {0, 2},
    }.get(fault.kind, {0})


def _struck(processes: Processes, folder: Path, fault: Fault, number: int, seconds: float) -> Ended:
    """Send a command a signal once it has run for `seconds`."""
    share = fault.choice if fault.killed and fault.kind in DAMAGES else 1.0
    started = processes.start(SCRIPT[fault.command], folder)
    time.sleep(seconds * share)
    started.signal(number)
    return processes.wait(started)


def _both(
    processes: Processes, folder: Path, words: tuple[str, ...], later: float
) -> tuple[Ended, Ended]:
    first = processes.start(words, folder)
    time.sleep(later)
    second = processes.start(words, folder)
    return processes.wait(first), processes.wait(second)


def _check_pair(pair: tuple[Ended, Ended]) -> None:
    """Let one of two be told that the other is at work, but not both of each other."""
    for ended in pair:
        _check(ended, {0, 2})
    if all(ended.code for ended in pair):
        raise Failed("lost", f"neither of two goes on: {[ended.err for ended in pair]}")


def _on_a_small_disk(processes: Processes, stage: Stage, fault: Fault, folder: Path) -> None:
    """Run the command on a disk that is full on the way; move what it left to an ordinary one."""
    here = folder.with_suffix(".disk")
    with Tmpfs(here) as disk:
        shutil.copytree(stage.before, here, dirs_exist_ok=True)
        disk.leave(int(fault.moment * stage.written))
        ended = processes.run(SCRIPT[fault.command], here)
        shutil.copytree(here, folder)
    _check(ended, {0, 2})


def _check(ended: Ended, codes: set[int]) -> None:
    """Raise where a disturbed command ended as none may, or said what none may say."""
    short = len(ended.lines) == (1 if ended.code in (2, 130) else 0)
    if ended.code not in codes or not short or "defect" in ended.err:
        raise Failed("unclear", f"{' '.join(ended.words[:3])}: {ended.code}, {ended.err!r}")


def _to_the_end(
    processes: Processes, folder: Path, named: list[str], commands: Sequence[tuple[str, ...]]
) -> None:
    """Run commands until all succeed, doing what each error says; add the errors to `named`."""
    for _ in range(ROUNDS):
        failed = _first_failure(processes, folder, commands)
        if failed is None:
            return
        said = "\n".join(failed.lines)
        if not advice.is_clear(failed):
            raise Failed("unclear", f"{' '.join(failed.words[:3])}: {failed.code}, {said!r}")
        named.append(said)
        if not advice.follow(said, folder):
            raise Failed("lost", f"no way to follow: {named}")
    raise Failed("lost", f"no end of errors: {named}")


def _first_failure(
    processes: Processes, folder: Path, commands: Sequence[tuple[str, ...]]
) -> Ended | None:
    for words in commands:
        ended = processes.run(words, folder)
        if ended.code or ended.lines:
            return ended
    return None
