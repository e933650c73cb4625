"""A training that is killed, as by kill -9, at an exact write; run it in a process of its own."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import tiny


def die_at(write: int) -> None:
    """Kill this process when it is about to put its `write`-th file in place."""
    writes = 0

    def watch(event: str, _: tuple[Any, ...]) -> None:
        nonlocal writes
        if event == "os.rename":  # what os.replace is to an audit
            writes += 1
            if writes == write:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def train(write: int, defense: str, data: Path, runs: Path, request: dict[str, Any]) -> None:
    """Train a small run until the `write`-th file would be put in place."""
    planned = tiny.planned(defense, data, runs, **request)
    die_at(write)
    tiny.epochs(planned)


def robench(write: int, words: list[object]) -> None:
    """Run a command until the `write`-th file would be put in place."""
    die_at(write)
    tiny.robench(*words)
