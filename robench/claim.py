"""One process at a time works on a folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from robench.errors import UserError

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing is locked there
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"


class Busy(UserError):
    """Another process is at work on a folder."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other processes from `folder` until the end; Busy where one is at work there.

    The system lets go of the lock of a process that has ended, however it ended.
    """
    if fcntl is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    handle = _lock(path)
    try:
        os.truncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # before letting go: whoever holds it already finds it replaced
        os.close(handle)


def _lock(path: Path) -> int:
    """Return an open, locked file that still lies at `path`."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _at(path, handle):
                return handle
        except BlockingIOError:
            who = os.read(handle, 200).decode(errors="replace") or "another process"
            os.close(handle)
            raise Busy(
                f"{path.parent} is being worked on by {who}; wait for it, end it, or choose "
                "another --runs"
            ) from None
        os.close(handle)


def _at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
