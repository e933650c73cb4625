"""Which task is begun when: in order, each after those that it needs, again where a worker died."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from robench.executors.executor import DIED, Executor, News, Task

RETRIES = 2
"""How often a task is begun again after its worker has died."""


@dataclass(frozen=True)
class Started:
    """A task that is being begun."""

    task: Task


@dataclass(frozen=True)
class There:
    """A task that need not be begun: what it leaves behind is there."""

    task: Task


@dataclass(frozen=True)
class Died:
    """A task whose worker has ended before it."""

    task: Task
    reason: str
    again: bool
    """Whether it is begun again."""


Step = Started | There | News | Died


class Schedule:
    """Tasks, and what they wait for. What it does for one does not grow with their number."""

    def __init__(self, executor: Executor, retries: int = RETRIES) -> None:
        """Begin with no task."""
        self._executor, self._retries = executor, retries
        self._ready: deque[Task] = deque()
        self._needs: dict[str, int] = {}
        self._waiting: dict[str, Task] = {}
        self._after: dict[str, list[str]] = {}
        self._open: set[str] = set()
        self._deaths: dict[str, int] = {}
        self._running = 0

    def add(self, task: Task, after: Iterable[str] = ()) -> None:
        """Have `task` done when all tasks called `after`, of those there are, have ended.

        How they ended does not matter. May be called while `steps` is under way.
        """
        if task.name in self._open:
            raise ValueError(f"two tasks called {task.name}")
        self._open.add(task.name)
        needs = {name for name in after if name in self._open}
        if not needs:
            self._ready.append(task)
            return
        self._waiting[task.name], self._needs[task.name] = task, len(needs)
        for name in needs:
            self._after.setdefault(name, []).append(task.name)

    def steps(self, there: Callable[[Task], bool] = lambda _: False) -> Iterator[Step]:
        """Carry all tasks out; yield each step, until none is left that can be done.

        `there` is asked before a task is begun whether that is needless. A failure stops nothing.
        """
        while self._ready or self._running:
            while self._ready and self._executor.room():
                task = self._ready.popleft()
                if there(task):
                    self._end(task)
                    yield There(task)
                    continue
                self._executor.begin(task)
                self._running += 1
                yield Started(task)
            if self._running:
                yield self._next()

    def _next(self) -> Step:
        news = self._executor.news()
        if not news.last:
            return news
        self._running -= 1
        if DIED not in news.says:
            self._end(news.task)
            return news
        deaths = self._deaths[news.task.name] = self._deaths.get(news.task.name, 0) + 1
        if again := deaths <= self._retries:
            self._ready.appendleft(news.task)
        else:
            self._end(news.task)
        return Died(news.task, str(news.says[DIED]), again)

    def _end(self, task: Task) -> None:
        self._open.discard(task.name)
        self._deaths.pop(task.name, None)
        for name in self._after.pop(task.name, ()):
            self._needs[name] -= 1
            if not self._needs[name]:
                del self._needs[name]
                self._ready.append(self._waiting.pop(name))
