"""One process at a time works on a folder, also where several hosts share it.

Who works on a folder keeps a lease in it: a file of its own, `....lease`, that says who it is, and
whose time of change it renews while it lives. A claim writes its lease first and looks for others
afterwards: of two that claim at once, the one that looks last sees the other. This needs of a file
system that a new file is seen by whoever lists its folder after it was made, and nothing else: no
locks, no links, no replacing. A lease whose process has ended, or that was not renewed for as long
as it says, is removed by whoever claims the folder next.

Ages are differences of two times of change in one folder, which its file server, or the kernel,
gave: the clocks of the hosts need not agree. Where hosts stamp files by their own clocks, those
must agree to well within EXPIRY.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from robench import mirrors
from robench.errors import RunFailed, UserError
from robench.holder import Holder, holder_of, myself

ENDING = ".lease"
BEAT = 15.0
"""Seconds between two renewals of a lease."""
EXPIRY = 120.0
"""Seconds without one after which a lease of another host has ended."""
_TRIES = 4
_SOON = 1.0
"""Seconds: younger ones may be of who only looks, as this one does, and withdraws."""


class Busy(UserError):
    """Another process is at work on a folder."""


class Lost(RunFailed):
    """Another process has taken over what this one was working on."""


@dataclass(frozen=True)
class Lease:
    """A lease as it lies in a folder."""

    path: Path
    holder: Holder | None
    """None where it does not say: it is being written, or damaged."""
    stamp: float
    """When it was renewed, in seconds, by the clock of the folder."""

    def living(self, now: float) -> bool:
        """Tell whether its process is at work; `now`: in seconds, by the clock of the folder."""
        return living(self.holder, now - self.stamp)


def living(who: Holder | None, age: float) -> bool:
    """Tell whether who has a lease is at work; `age`: seconds since it was renewed."""
    ended = None if who is None else who.ended()
    expiry = EXPIRY if who is None else who.expiry
    return age <= expiry if ended is None else not ended


@dataclass(frozen=True)
class Claim:
    """A folder that this process has for itself."""

    path: Path
    """Its lease."""
    check_store: mirrors.Check = lambda: None
    """Does the same by the store that the folder mirrors."""

    def check(self) -> None:
        """Raise Lost where another process has taken the folder over."""
        if not self.path.exists():
            raise Lost(
                f"{self.path.parent} was taken over by another process: this one did not renew its "
                f"lease for {EXPIRY:g} s; that one goes on"
            )
        self.check_store()


@contextmanager
def claimed(folder: Path) -> Iterator[Claim]:
    """Keep other processes from `folder` until the end; Busy where one is at work there.

    Where it mirrors a store it is claimed there as well, from other hosts, and brought up to date.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim = _claim(folder)
    try:
        with renewed(claim.path), mirrors.claimed(folder) as check_store:
            yield Claim(claim.path, check_store)
    finally:
        with suppress(OSError):
            claim.path.unlink()


@contextmanager
def renewed(path: Path) -> Iterator[None]:
    """Renew the time of change of a file that says who holds it, until the end."""
    stop = threading.Event()
    beats = threading.Thread(target=_renew, args=(path, stop), daemon=True)
    beats.start()
    try:
        yield
    finally:
        stop.set()


def leases(folder: Path) -> list[Lease]:
    """Return the leases in a folder, of the living and of the dead."""
    found = []
    for path in sorted(folder.glob(f".*{ENDING}")):
        with suppress(OSError):  # its holder has just withdrawn it
            with path.open("rb") as file:  # opening has a network's file system look anew
                text, stamp = file.read(2000), os.fstat(file.fileno()).st_mtime
            found.append(Lease(path, holder_of(text), stamp))
    return found


def seen(folder: Path, now: float) -> list[Lease]:
    """Return the leases of a folder, those of a store that it mirrors too.

    `now`: in seconds, by the clock of the folder. Nothing is to be decided by it.
    """
    there = [
        Lease(folder / ENDING, holder_of(text.partition(b"\n")[0]), now - age)
        for text, age in mirrors.holders(folder)
    ]
    return [*leases(folder), *there]


def _claim(folder: Path) -> Claim:
    for _ in range(_TRIES):
        path = _written(folder)
        try:
            now = path.stat().st_mtime
            others = [one for one in leases(folder) if one.path != path]
            alive = [one for one in others if one.living(now)]
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if not alive:
            for dead in others:
                dead.path.unlink(missing_ok=True)
            return Claim(path)
        path.unlink(missing_ok=True)
        if any(now - one.stamp > _SOON for one in alive):
            break
        time.sleep(random.uniform(0.0, 0.2))
    who = alive[0].holder or "another process"
    raise Busy(
        f"{folder} is being worked on by {who}; wait for it, end it, or choose another --runs"
    )


def _written(folder: Path) -> Path:
    """Write a lease of this process's, under a name that no other has."""
    me = myself(EXPIRY)
    path = folder / f".{me.process}-{token_hex(8)}{ENDING}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(handle, me.as_text().encode())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return path


def _renew(path: Path, stop: threading.Event) -> None:
    """Renew a lease until `stop`, or until it is gone."""
    while not stop.wait(BEAT):
        try:
            os.utime(path)
            mirrors.sent_again(path)
        except FileNotFoundError:
            return  # taken over: `Claim.check` tells
        except (OSError, UserError):
            continue  # a file server, or a store, may come back
