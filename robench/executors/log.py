"""The log of a task: lines for a person, with the time; no record, and never needed again.

RUNS/logs/<run>.log     what was said of a training, the output of plugins and tracebacks
"""

import time
from pathlib import Path

from robench import mirrors

LOGS = "logs"
"""Folder under the runs folder."""
TAIL = 4096
"""Bytes of a log that are looked at for its last line."""


def note(path: Path, text: str) -> None:
    """Add a line to a log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")
    mirrors.sent_again(path)


def last_line(path: Path) -> str:
    """Return the last line of a log without its time; nothing where there is no log."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - TAIL))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].partition("  ")[2] if lines else ""
