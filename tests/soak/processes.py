"""Commands as processes of their own, which signals reach, without seconds of imports for each."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

LONGEST = 120.0
"""Seconds after which a command hangs."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    words: Sequence[str]
    code: int | None
    """Negative: of the signal that ended it. None: it hung and was killed."""
    err: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """Return what it said in its errors, but for warnings."""
        lines = [line for line in self.err.splitlines() if line]
        return [line for line in lines if not line.startswith("Warning: ")]


@dataclass(frozen=True)
class Started:
    """A command that is at work."""

    words: Sequence[str]
    pid: int
    err: Path
    at: float
    """On the monotonic clock."""

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens where the process has ended."""
        os.kill(self.pid, number)


class Processes:
    """The other end of `soak.server`."""

    def __init__(self, scratch: Path) -> None:
        """Start the server; `scratch`: a folder for what the commands print."""
        self._scratch, self._count = scratch, 0
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        own = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
        # A session of its own: an interrupt at the terminal is for the driver.
        self._server = subprocess.Popen(
            [sys.executable, "-m", "soak.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | own,
            start_new_session=True,
        )
        self._answer()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def start(
        self, words: Sequence[str], folder: Path, disturbance: Mapping[str, Any] | None = None
    ) -> Started:
        """Start a command in `folder`; return once it is about to begin."""
        self._count += 1
        out = self._scratch / f"{self._count}.out"
        order = {"words": words, "folder": str(folder), "out": str(out)}
        err = out.with_suffix(".err")
        answer = self._ask({**order, "err": str(err), "disturbance": disturbance or {}})
        return Started(words, answer["pid"], err, time.monotonic())

    def wait(self, started: Started) -> Ended:
        """Wait for a command's end."""
        answer = self._ask({"wait": started.pid, "seconds": LONGEST})
        seconds = time.monotonic() - started.at
        err = started.err.read_text(errors="replace")
        return Ended(started.words, answer["code"], err, seconds)

    def run(
        self, words: Sequence[str], folder: Path, disturbance: Mapping[str, Any] | None = None
    ) -> Ended:
        """Run a command to its end."""
        return self.wait(self.start(words, folder, disturbance))

    def writes(self, words: Sequence[str], folder: Path) -> tuple[Ended, int]:
        """Run a command; return how many files it put in place, too."""
        ended = self.run(words, folder, {"kind": "count"})
        return ended, int((self._scratch / f"{self._count}.writes").read_text())

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._server.stdin
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._server.stdout
        line = self._server.stdout.readline()
        assert line, f"the server ended with {self._server.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer
