"""What commands are going to train, lying in the runs folder for whoever wants to know.

RUNS/plans/<digest>.json    who, and the cells in their order; one a command

Nothing but `robench status` reads them: who trains a run decides its lease. A plan says itself who
is at it, and like a lease its time of change is renewed meanwhile. It goes when all its runs are
done; that of a command that has ended before stays, until one with the same cells, or more, begins.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from robench import files
from robench.claim import EXPIRY, Lease, renewed
from robench.conformance import from_json
from robench.containment import contained
from robench.errors import UserError
from robench.holder import Holder, myself
from robench.records import digest
from robench.runs import RunFolder, read_json, write_json

PLANS = "plans"
"""Folder under the runs folder."""


@dataclass(frozen=True)
class Intended:
    """A run that is to be trained."""

    run: str
    words: str
    """What sets it apart from the others of its grid."""
    epochs: int


@dataclass(frozen=True)
class Pending:
    """A plan, as its file has it."""

    path: Path
    holder: Holder | None
    """None: whoever made it has ended."""
    stamp: float
    """When it was renewed, in seconds, by the clock of the folder."""
    cells: tuple[Intended, ...]

    def living(self, now: float) -> bool:
        """Tell whether a command is at it; `now`: in seconds, by the clock of the folder."""
        return self.holder is not None and Lease(self.path, self.holder, self.stamp).living(now)


@contextmanager
def announced(runs: Path, cells: Sequence[Intended]) -> Iterator[None]:
    """Let others see, until the end, that this process is going to train `cells`.

    Where all are done, there is nothing to tell.
    """
    if not _missing(runs, cells):
        _clear(runs)
        yield
        return
    me = myself(EXPIRY)
    name = digest([me.process, me.host, me.started, *sorted(one.run for one in cells)], 12)
    path = contained(runs, runs / PLANS / f"{name}.json")
    made = Pending(path, me, 0.0, tuple(cells))
    _write(made)
    _clear(runs, made)
    try:
        with renewed(path):
            yield
    finally:
        with suppress(OSError, UserError):  # a failing disk, or store, is told of elsewhere
            if _missing(runs, cells):
                _write(replace(made, holder=None))
            else:
                files.remove(path)


def pending(runs: Path) -> list[Pending]:
    """Return the plans under `runs`; of one that cannot be read a warning tells."""
    found = []
    for path in sorted((runs / PLANS).glob("*.json")):
        with suppress(FileNotFoundError):  # it has just been withdrawn
            stamp = path.stat().st_mtime
            try:
                found.append(_read(runs, path, stamp))
            except UserError as error:
                if path.exists():
                    warnings.warn(f"a plan is left out: {error}", stacklevel=2)
    return found


def _missing(runs: Path, cells: Sequence[Intended]) -> set[str]:
    """Return the runs that are not done."""
    return {one.run for one in cells if not RunFolder(runs / one.run).done.exists()}


def _write(plan: Pending) -> None:
    holder = None if plan.holder is None else asdict(plan.holder)
    write_json(plan.path, {"holder": holder, "cells": [asdict(one) for one in plan.cells]})


def _read(runs: Path, path: Path, stamp: float) -> Pending:
    content = read_json(contained(runs, path))
    try:
        holder = None if content["holder"] is None else from_json(Holder, content["holder"])
        cells = tuple(from_json(Intended, one) for one in content["cells"])
    except (KeyError, TypeError, UserError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}: {error})") from None
    for one in cells:
        if os.path.basename(one.run) != one.run or one.run in ("", ".", ".."):
            raise UserError(f"{path} names a run {one.run!r}, which is no name of a folder")
    return Pending(path, holder, stamp, cells)


def _clear(runs: Path, mine: Pending | None = None) -> None:
    """Remove what is done, and plans of ended commands of which `mine` has all cells that are left.

    What is done may be a living command's, which is about to remove it itself.
    """
    now = mine.path.stat().st_mtime if mine else 0.0
    for other in pending(runs):
        left = _missing(runs, other.cells)
        taken_on = mine and mine.path != other.path and left <= {one.run for one in mine.cells}
        if not left or (taken_on and not other.living(now)):
            files.remove(other.path)
