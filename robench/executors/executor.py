"""What an executor is: it takes tasks, and tells what comes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

ENDED = "ended"
"""The key of a task's last message: how it ended, in a word."""
DIED = "died"
"""The key of the message that comes in place of it where a worker ended before its task did."""


@dataclass(frozen=True)
class Task:
    """Something to do. All in it is JSON: workers, on whatever host, read text and no objects."""

    name: str
    """No two tasks at one time are called alike."""
    kind: str
    """Which method of `robench.executors.work.Work` does it."""
    asked: Mapping[str, Any]


@dataclass(frozen=True)
class News:
    """What a task says as it goes, as JSON."""

    task: Task
    says: Mapping[str, Any]

    @property
    def last(self) -> bool:
        """Tell whether nothing more comes of the task."""
        return ENDED in self.says or DIED in self.says


class Executor(Protocol):
    """Carries tasks out, several at a time if it can. It keeps nothing: all state is on the disk.

    Used by one thread. What a task leaves behind lies in the runs folder, so that an executor may
    vanish at any moment: only what was being done is lost, up to the last epoch that was stored.
    """

    def room(self) -> bool:
        """Tell whether a further task can be begun now."""

    def begin(self, task: Task) -> None:
        """Begin a task; only where there is room."""

    def news(self) -> News:
        """Wait for what a task says next, and return it; only while one is at work.

        Every task ends by one message that is the last: ENDED, or DIED with the reason.
        """

    def close(self) -> None:
        """End all workers, and the tasks that are at work; what they have stored stays."""
