"""The executor that is this process itself: one task after the other."""

from collections.abc import Callable, Generator
from typing import Any

from robench.executors.executor import News, Task

Saying = Generator[dict[str, Any], None, None]
"""What a task says as it is done; the last ends it."""


class Local:
    """Does each task as it is asked for news, in this process and thread."""

    def __init__(self, work: Callable[[Task], Saying]) -> None:
        """Keep `work`, which does a task."""
        self._work = work
        self._done: tuple[Task, Saying] | None = None

    def room(self) -> bool:
        """Tell whether nothing is being done."""
        return self._done is None

    def begin(self, task: Task) -> None:
        """Take a task up."""
        self._done = task, self._work(task)

    def news(self) -> News:
        """Go on with it until it says something."""
        assert self._done is not None, "nothing was begun"
        task, saying = self._done
        news = News(task, next(saying))
        if news.last:
            self.close()
        return news

    def close(self) -> None:
        """Leave the task that is under way, which lets go of what it holds."""
        if self._done:
            self._done[1].close()
        self._done = None
