"""A worker process: tasks come as lines of JSON on its input, what they say goes out as such.

Its first line is its setup: the command line and the folder of the command it works for. It ends
where its input does, whatever it is doing, as when the command that began it was killed.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from robench import mirrors
from robench.executors.executor import Task

GRACE = 10.0
"""Seconds that a worker has to leave its task once its input has ended."""


def main() -> None:
    """Do tasks until there are no more."""
    from robench.executors.work import Work

    speaks = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what plugins print is not for the one who listens
    lines: SimpleQueue[str] = SimpleQueue()
    set_up(json.loads(sys.stdin.readline()))
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    work = Work()
    try:
        while line := lines.get():
            for message in safely(work, Task(**json.loads(line))):
                print(json.dumps(message), file=speaks)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)  # what it held is let go of, and the rest may hang


def set_up(said: Mapping[str, Any]) -> None:
    """Make this process one of the command that `said` tells of: arguments, folder, stores."""
    sys.argv = list(said["arguments"])
    if Path(said["directory"]).is_dir():
        os.chdir(said["directory"])
    for url in said["stores"]:
        from robench.store.opening import placed

        placed(url)


def setup() -> dict[str, Any]:
    """Return what `set_up` needs to know of this process."""
    return {"arguments": sys.argv, "directory": os.getcwd(), "stores": mirrors.urls()}


def safely(work: Any, task: Task) -> Iterator[Mapping[str, Any]]:
    """Do a task; a defect, or a failing disk, is the end of it, and its log has the details."""
    from robench.executors.log import note
    from robench.executors.work import ended

    log = mirrors.local(task.asked["log"])
    with _printing_into(log):
        try:
            yield from work.done(task)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            try:
                note(log, f"failed: {said}\n{''.join(traceback.format_exception(error))}{said}")
            except OSError:
                traceback.print_exc()  # the disk is what fails
            yield ended("failed", f"{said}; details in {log}")


@contextmanager
def _printing_into(log: Path) -> Iterator[None]:
    """Let what this process prints, and the libraries it calls, go to a log."""
    kept = [(number, os.dup(number)) for number in (1, 2)]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for number, _ in kept:
            os.dup2(handle, number)
        os.close(handle)
        yield
    finally:
        for number, old in kept:
            os.dup2(old, number)
            os.close(old)


def _listen(lines: "SimpleQueue[str]") -> None:
    """Pass lines on; at their end, interrupt what is being done, and end this process."""
    source: TextIO = sys.stdin
    for line in source:
        lines.put(line)
    lines.put("")
    signal.raise_signal(signal.SIGINT)
    threading.Event().wait(GRACE)
    os._exit(130)


if __name__ == "__main__":
    main()
