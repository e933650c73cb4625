"""Trainings as they are told of: what the steps of their tasks mean for the cells of a sweep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from robench import mirrors
from robench.conformance import from_json
from robench.errors import UserError
from robench.executors import schedule
from robench.executors.executor import ENDED, News, Task
from robench.executors.schedule import Started, Step, There
from robench.planning import Plan
from robench.records import Epoch, Run, RunSpec
from robench.runs import RunFolder, read_run


@dataclass(frozen=True)
class Cell:
    """One run of a sweep."""

    spec: RunSpec
    label: str
    """The defense with the settings, seed apart, that differ between the cells."""
    number: int
    """Its place among the cells, from 1."""
    count: int
    """The number of cells."""

    @property
    def name(self) -> str:
        """Return it in words."""
        return f"{self.label} seed {self.spec.seed}"


@dataclass(frozen=True)
class Planned:
    """All cells, before any is looked at."""

    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Begun:
    """A cell that is about to be trained, or to be gone on with."""

    cell: Cell


@dataclass(frozen=True)
class Passed:
    """An epoch that is stored."""

    cell: Cell
    epoch: Epoch


@dataclass(frozen=True)
class Ended:
    """A cell's end: the finished run, or the line that says why there is none.

    `busy`: another process is training it.
    """

    cell: Cell
    state: Literal["trained", "there already", "busy", "failed"]
    run: Run | None
    reason: str = ""


@dataclass(frozen=True)
class Died:
    """A cell whose worker has ended before it."""

    cell: Cell
    reason: str
    again: bool
    """Whether another goes on with it."""


@dataclass(frozen=True)
class Aside:
    """A step of a task that is no training, but was asked for when one had ended."""

    step: Step


Event = Planned | Begun | Passed | Died | Ended | Aside


class Trainings:
    """Turns what comes of the tasks of some trainings into events of their cells.

    A cell that was told of as busy is told of again when it really begins, or is there.
    """

    def __init__(self, cells: Mapping[str, tuple[Plan, Cell]]) -> None:
        """`cells`: by the names of their tasks."""
        self._cells = cells
        self._told: set[str] = set()
        self._held: set[str] = set()
        self._busy: list[Task] = []

    def there(self, task: Task) -> bool:
        """Tell whether the run of a task is finished."""
        if task.name not in self._cells:
            return False
        wanted, _ = self._cells[task.name]
        folder = RunFolder(wanted.root / wanted.spec.key)
        if not folder.done.exists():
            mirrors.refresh(folder.path)
        return folder.done.exists()

    def come_back(self) -> list[Task]:
        """Return the tasks that were busy when they were last begun."""
        busy, self._busy = self._busy, []
        return busy

    def events(self, step: Step) -> Iterator[Event]:
        """Yield what a step means."""
        name = step.task.name
        if name not in self._cells:
            yield Aside(step)
            return
        wanted, cell = self._cells[name]
        if isinstance(step, Started) and name in self._told:
            self._held.add(name)  # that it is looked at again is no news
        elif isinstance(step, Started):
            yield Begun(cell)
        elif isinstance(step, There):
            yield _read(wanted, cell, "there already")
        elif isinstance(step, schedule.Died):
            yield from self._died(step, cell)
        elif step.says.get(ENDED) == "busy":
            yield from self._left(step, cell)
        else:
            if name in self._held:
                self._held.remove(name)
                yield Begun(cell)
            yield self._news(step, wanted, cell)

    def _news(self, news: News, wanted: Plan, cell: Cell) -> Event:
        if not news.last:
            return Passed(cell, from_json(Epoch, news.says["epoch"]))
        if news.says[ENDED] == "failed":
            return Ended(cell, "failed", None, news.says["reason"])
        return _read(wanted, cell, "trained")

    def _died(self, step: schedule.Died, cell: Cell) -> Iterator[Event]:
        yield Died(cell, step.reason, step.again)
        if not step.again:
            yield Ended(cell, "failed", None, step.reason)

    def _left(self, news: News, cell: Cell) -> Iterator[Event]:
        self._busy.append(news.task)
        self._held.discard(news.task.name)
        if news.task.name not in self._told:
            self._told.add(news.task.name)
            yield Ended(cell, "busy", None, news.says["reason"])


def _read(wanted: Plan, cell: Cell, state: Literal["trained", "there already"]) -> Ended:
    """Read a run that is finished."""
    try:
        for _ in wanted.train():
            pass  # it only checks, and clears up
        return Ended(cell, state, read_run(wanted.root / wanted.spec.key))
    except UserError as error:
        return Ended(cell, "failed", None, str(error))
