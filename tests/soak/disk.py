"""A small disk of its own, where this process may mount one."""

import os
import subprocess
from pathlib import Path
from types import TracebackType


class Tmpfs:
    """A tmpfs for the time of a `with`; without the right to mount, a folder that never fills."""

    def __init__(self, path: Path) -> None:
        """Make the folder `path` and mount there."""
        self._path = path
        path.mkdir()
        self._mounted = _quietly("mount", "-t", "tmpfs", "robench-soak", str(path))

    def __enter__(self) -> "Tmpfs":
        return self

    def leave(self, room: int) -> None:
        """Let so many more bytes fit, up to a page."""
        disk = os.statvfs(self._path)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        if self._mounted:
            _quietly("mount", "-o", f"remount,size={used + room}", str(self._path))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._mounted:
            _quietly("umount", str(self._path))


def _quietly(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        return False
