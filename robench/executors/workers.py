"""The executor of one machine: worker processes, each with a GPU, a share of one, or cores."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

from robench.executors.executor import DIED, News, Task
from robench.executors.worker import GRACE, setup


@dataclass(eq=False)
class _Worker:
    """One worker process and what it does."""

    process: "subprocess.Popen[str]"
    task: Task | None = None


class Workers:
    """Worker processes, begun when they are needed, each for many tasks."""

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        """`places`: of each worker, the environment that gives it its GPU or its cores."""
        self._places = places
        self._workers: list[_Worker | None] = [None] * len(places)
        self._heard: SimpleQueue[tuple[_Worker, str]] = SimpleQueue()

    def room(self) -> bool:
        """Tell whether a worker has nothing to do, or one more may be begun."""
        return any(one is None or one.task is None for one in self._workers)

    def begin(self, task: Task) -> None:
        """Give a task to a worker, to one that is there already if it can be."""
        idle = [n for n, one in enumerate(self._workers) if one is not None and one.task is None]
        number = idle[0] if idle else self._workers.index(None)
        worker = self._workers[number] or self._hired(number)
        worker.task = task
        with suppress(BrokenPipeError):  # it has died; whoever listens to it will tell
            _say(worker, asdict(task))

    def news(self) -> News:
        """Wait for what a worker says, or for its end."""
        while True:
            worker, line = self._heard.get()
            task = worker.task
            if not line:
                code = _end(worker)
                if worker in self._workers:
                    self._workers[self._workers.index(worker)] = None
                if task is not None:
                    return News(task, {DIED: f"its worker ended by {_how(code)}"})
            elif task is not None:
                news = News(task, json.loads(line))
                if news.last:
                    worker.task = None
                return news

    def close(self) -> None:
        """End all workers; those at work leave their tasks first."""
        there = [one for one in self._workers if one]
        for one in there:
            _hang_up(one)
        for one in there:
            _end(one)
        self._workers = [None] * len(self._places)

    def _hired(self, number: int) -> _Worker:
        command = [sys.executable, "-P", "-m", "robench.executors.worker"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(self._places[number]),
            text=True,
            encoding="utf-8",
            bufsize=1,
            start_new_session=True,  # an interrupt is this process's to handle
        )
        worker = self._workers[number] = _Worker(process)
        Thread(target=self._listen, args=(worker,), daemon=True).start()
        with suppress(BrokenPipeError):
            _say(worker, setup())
        return worker

    def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        with worker.process.stdout as source:
            for line in source:
                self._heard.put((worker, line))
        self._heard.put((worker, ""))


def _say(worker: _Worker, content: Mapping[str, Any]) -> None:
    assert worker.process.stdin is not None
    worker.process.stdin.write(json.dumps(content) + "\n")
    worker.process.stdin.flush()


def _hang_up(worker: _Worker) -> None:
    """Tell a worker that nothing more comes."""
    assert worker.process.stdin is not None
    with suppress(OSError):
        worker.process.stdin.close()


def _end(worker: _Worker) -> int:
    """Return the exit code of a worker, once it has left its task; it is not waited for long."""
    _hang_up(worker)
    try:
        return worker.process.wait(GRACE)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        return worker.process.wait()


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
