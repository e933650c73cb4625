"""What a call may touch: files are watched as they are opened, memory is limited."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = 3 * 2**30
"""Bytes that a call may map beyond what the process has mapped already."""
_EVENTS = {"open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}
_seen: list[str] | None = None
_hooked = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is not None and event in _EVENTS:
        _seen.extend(os.fsdecode(one) for one in arguments if isinstance(one, str | bytes))


@contextmanager
def touched() -> Iterator[list[str]]:
    """Collect the paths of all files that are opened, removed, renamed or made inside."""
    global _seen, _hooked
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    found: list[str] = []
    _seen = found
    try:
        yield found
    finally:
        _seen = None


def within(paths: list[str], folder: Path) -> list[str]:
    """Return those of `paths` that lie in `folder` once links are followed."""
    inside = os.path.realpath(folder)
    return [
        path
        for path in paths
        if "\0" not in path and os.path.realpath(path).startswith(inside + os.sep)
    ]


@contextmanager
def little_memory() -> Iterator[None]:
    """Let this process map no more than `ROOM` beyond what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
