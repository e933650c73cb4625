"""What the cells of a command are at, as its events and the runs folder tell."""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import Literal

from robench.errors import UserError
from robench.executors.executor import ENDED, News, Task
from robench.executors.schedule import Started, Step
from robench.standing import Standing, standing_of
from robench.sweeping import Aside, Begun, Cell, Died, Ended, Event, Passed

State = Literal["training", "evaluating", "busy", "failed", "waiting", "done"]
"""`busy`: another command is training it."""
STATES: tuple[State, ...] = ("training", "evaluating", "busy", "failed", "waiting", "done")
"""Where there is no room for all, the first are shown."""
LAST: dict[str, State] = {"trained": "done", "there already": "done", "busy": "busy"}
LOOK = 5.0
"""Seconds until the folder of a run is looked at again, if nothing was heard of it."""


@dataclass(frozen=True)
class Row:
    """A cell, or an evaluation while it is under way."""

    name: str
    state: State
    number: int
    """Its place among the cells; evaluations come after them all."""
    epoch: int = 0
    epochs: int = 0
    """0: it has none."""
    folder: Path | None = None
    """Of its run, while it is trained."""
    left: float | None = None
    """Seconds to the end of its training; None: not known."""
    device: str = ""
    holder: str = ""


class Watch:
    """Keeps rows by their states. One thread tells it of events, another may ask meanwhile.

    An event costs the same however many cells there are, and so does asking for a few rows.
    """

    def __init__(self, runs: Path) -> None:
        """`runs`: the runs folder of the command."""
        self._runs, self._lock = runs, Lock()
        self._rows: dict[State, dict[str, Row]] = {state: {} for state in STATES}
        self._states: dict[str, State] = {}
        self._looked: dict[Path, tuple[float, Standing | None]] = {}
        self._evaluated = 0

    def see(self, event: Event) -> None:
        """Take in what an event tells."""
        with self._lock:
            if isinstance(event, Aside):
                self._aside(event.step)
            elif isinstance(event, Begun):
                self._cell(event.cell, "training")
            elif isinstance(event, Passed):
                self._looked.pop(self._runs / event.cell.spec.key, None)
                self._cell(event.cell, "training", event.epoch.epoch)
            elif isinstance(event, Died):
                self._cell(event.cell, "waiting" if event.again else "failed")
            elif isinstance(event, Ended):
                epoch = event.cell.spec.epochs if event.run else None
                self._cell(event.cell, LAST.get(event.state, "failed"), epoch)
            else:
                for cell in event.cells:
                    self._cell(cell, "waiting")

    def rows(self, most: int) -> list[Row]:
        """Return what is under way and, as far as there is room, the rest; in order of cells."""
        with self._lock:
            by_state = (
                reversed(rows.values()) if state == "done" else rows.values()
                for state, rows in self._rows.items()
            )
            found = list(islice(chain.from_iterable(by_state), most))
        return sorted(map(self._looked_up, found), key=lambda row: row.number)

    def counts(self) -> str:
        """Return in words how many cells are in each state, and what was evaluated."""
        with self._lock:
            said = [f"{len(rows)} {state}" for state, rows in self._rows.items() if rows]
            return ", ".join([*said, f"{self._evaluated} evaluated"] if self._evaluated else said)

    def _cell(self, cell: Cell, state: State, epoch: int | None = None) -> None:
        key = cell.spec.key
        old = self._taken(key) or Row(cell.name, state, cell.number, epochs=cell.spec.epochs)
        folder = self._runs / key if state in ("training", "busy") else None
        self._put(
            key,
            replace(old, state=state, folder=folder, epoch=old.epoch if epoch is None else epoch),
        )

    def _aside(self, step: Step) -> None:
        task = step.task
        if isinstance(step, Started):
            self._taken(task.name)
            self._put(task.name, self._row_of(task))
        elif not isinstance(step, News) or step.last:
            self._taken(task.name)
            done = isinstance(step, News) and step.says[ENDED] == "done"
            self._evaluated += done and task.kind != "source"

    def _row_of(self, task: Task) -> Row:
        number = len(self._states) + 1  # behind all cells
        if task.kind == "source":
            return Row(task.name, "training", number, folder=self._runs / task.name)
        return Row(task.name.rpartition(" ")[0] or task.name, "evaluating", number)

    def _put(self, key: str, row: Row) -> None:
        self._rows[row.state][key] = row
        self._states[key] = row.state

    def _taken(self, key: str) -> Row | None:
        """Take a row out."""
        state = self._states.pop(key, None)
        return None if state is None else self._rows[state].pop(key)

    def _looked_up(self, row: Row) -> Row:
        """Return a row with what the folder of its run tells."""
        if row.folder is None:
            return row
        when, found = self._looked.get(row.folder, (0.0, None))
        if not when or time.monotonic() - when > LOOK:
            with suppress(OSError, UserError):  # the next look may find more
                found = standing_of(row.folder.parent, row.folder)
            self._looked[row.folder] = time.monotonic(), found
        if found is None:
            return row
        return replace(
            row,
            epoch=max(row.epoch, found.epoch),
            epochs=found.epochs or row.epochs,
            left=found.left,
            device=found.device,
            holder=found.holder,
        )
