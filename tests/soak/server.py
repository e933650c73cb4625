"""A process with all imports done, which forks one that is `robench` for every command.

It reads orders and writes answers as lines of JSON; `soak.processes` is its other end.
"""

import atexit
import gc
import json
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from soak import disturbance

MODULES = (
    *(f"robench.cli.{name}" for name in ("train", "eval", "report", "verify")),
    *("robench.planning", "robench.campaign", "robench.leaderboard", "robench.verification"),
    *("robench.drawing", "sklearn.datasets", "torch._dynamo", "torchvision", "seaborn"),
)
POLL = 0.002
"""Seconds between looks at a process that is waited for."""


def main() -> NoReturn:
    """Serve until the input ends."""
    from robench.plugins import REGISTRIES

    for name in MODULES:
        import_module(name)
    for registry in REGISTRIES:
        registry.available()
    gc.freeze()  # or a collection in a forked process copies all of this one's memory
    _answer({"ready": True})
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "wait" in order:
            _answer({"code": _ended(order["wait"], order["seconds"])})
        elif pid := _forked(order):
            _answer({"pid": pid})
        else:
            _leave(_robench())
    _leave(0)


def _answer(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)


def _forked(order: dict[str, Any]) -> int:
    """Return the new process's id, or 0 within it, where the command is about to be run."""
    begun, begins = os.pipe()
    pid = os.fork()
    if pid:
        os.close(begins)
        os.read(begun, 1)
        os.close(begun)
        return pid
    os.close(begun)
    for number, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(order["folder"])
    sys.argv = ["robench", *order["words"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    disturbance.apply(order["disturbance"], Path(order["out"]))
    os.write(begins, b"x")
    os.close(begins)
    return 0


def _robench() -> int:
    """Be `robench` with the words of this process; return the exit code."""
    from robench.cli import main as robench

    try:
        robench()
    except SystemExit as stop:
        return int(stop.code or 0)


def _leave(code: int) -> NoReturn:
    """Exit without taking thousands of modules apart, which takes seconds."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


def _ended(pid: int, seconds: float) -> int | None:
    """Return the exit code of a process, negative for a signal's; None: killed as it hung."""
    stop = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > stop:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(POLL)


if __name__ == "__main__":
    main()
