"""What goes wrong within the process of a command: done to that process before it begins."""

import atexit
import errno
import io
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dying

DAY = 86400.0


def apply(disturbance: Mapping[str, Any], out: Path) -> None:
    """Disturb this process as `disturbance` says; `out` is the file of its output."""
    match disturbance.get("kind"):
        case "die":
            dying.die_at(disturbance["write"])
        case "full":
            _fill(disturbance["bytes"])
        case "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (disturbance["bytes"],) * 2)
        case "clock":
            _unsettle_clocks(random.Random(disturbance["seed"]))
        case "count":
            _count_writes(out.with_suffix(".writes"))


def _fill(room: int) -> None:
    """Let this process write `room` bytes into files; then the disk is full."""
    left = room

    class Filling(io.FileIO):
        def write(self, data: Any, /) -> int:
            nonlocal left
            part = memoryview(data)[:left]
            left -= len(part)
            written = super().write(part)
            if len(part) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return written

    def fdopen(handle: int, mode: str) -> io.FileIO:
        return Filling(handle, mode)

    os.fdopen = fdopen  # type: ignore[assignment]  # what robench.files writes through


def _unsettle_clocks(draw: random.Random) -> None:
    """Let every clock that Python reads jump by days, now and then, either way."""
    offset = draw.uniform(-3, 3) * 365 * DAY

    def jumping(read: Callable[[], float], scale: float) -> Callable[[], Any]:
        kind = type(read())

        def now() -> Any:
            nonlocal offset
            if draw.random() < 0.1:
                offset = draw.uniform(-3, 3) * 365 * DAY
            return kind(read() + kind(offset * scale))

        return now

    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, jumping(getattr(time, name), 1))
        setattr(time, f"{name}_ns", jumping(getattr(time, f"{name}_ns"), 1e9))


def _count_writes(path: Path) -> None:
    """Write into `path`, at the end, how many files this process put in place."""
    writes = 0

    def watch(event: str, _: tuple[Any, ...]) -> None:
        nonlocal writes
        writes += event == "os.rename"

    sys.addaudithook(watch)
    atexit.register(lambda: path.write_text(str(writes)))
