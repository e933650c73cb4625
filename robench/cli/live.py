"""The live table of what a command has under way, below the lines it prints."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

from robench.cli.printing import bar, say
from robench.cli.status import duration

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.text import Text

    from robench.executors.crew import Crew
    from robench.watching import Row, Watch

PAUSE = 0.5
"""Seconds between two drawings."""
COLUMNS = {"cell": 0, "state": 0, "epoch": 32, "left": 44, "device": 64, "by": 96}
"""The columns, and how wide a terminal must be to have each."""


class Below:
    """Draws a table at intervals, and prints lines above it. Not drawing, it only prints."""

    def __init__(self, runs: Path, *, draws: bool) -> None:
        """`runs`: the runs folder of the command."""
        self._runs, self._draws = runs, draws
        self._watch: Watch | None = None
        self._above, self._said = draws and sys.stdout.isatty(), SimpleQueue[str]()
        self._end, self._thread = Event(), Thread(target=self._keep_drawing, daemon=True)

    def see(self, event: object) -> None:
        """Take an event in: the first of trainings begins the table, any other kind ends it."""
        from robench.sweeping import Event as OfTrainings

        if not isinstance(event, OfTrainings):
            self.close()
        elif self._draws:
            watch = self._watch or self._begun()
            watch.see(event)

    def say(self, text: str) -> None:
        """Print lines on standard output; on a terminal, by the next drawing."""
        from robench.visible import visible

        if self._watch is not None and self._above:
            self._said.put(visible(text))
        else:
            say(text)

    def close(self) -> None:
        """Take the table away, for good."""
        self._draws = False
        if self._watch is not None:
            self._end.set()
            self._thread.join()
            self._draw()
            self._live.stop()
            self._watch = None

    def _begun(self) -> "Watch":
        from rich.console import Console
        from rich.live import Live

        from robench.watching import Watch

        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        # What libraries and warnings print meanwhile goes above the table as well.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=self._above,
        )
        self._watch = watch = Watch(self._runs)
        self._live.start()
        self._thread.start()
        return watch

    def _keep_drawing(self) -> None:
        while not self._end.wait(PAUSE):
            self._draw()

    def _draw(self) -> None:
        """Draw the table anew, with the lines above it that were said since."""
        assert self._watch is not None
        self._live.update(drawn(self._watch, self._console))
        with self._console:  # written at once
            if said := [self._said.get() for _ in range(self._said.qsize())]:
                self._console.print("\n".join(said), soft_wrap=True)
            self._live.refresh()


@contextmanager
def below(runs: Path, crew: "Crew") -> Iterator[Below]:
    """Return what draws the table of a crew's work, where a person looks on, until the end.

    One process alone has its bar instead, which tells more of its one cell.
    """
    table = Below(runs, draws=bar() and crew.kind != "local")
    try:
        yield table
    finally:
        table.close()


def drawn(watch: "Watch", console: "Console") -> "Group":
    """Return the table for a terminal: at most half of its height, and no wider than it is."""
    from rich.console import Group
    from rich.table import Table

    width, height = console.size
    named = [name for name, least in COLUMNS.items() if width >= least]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in named:
        table.add_column(name, no_wrap=name in ("state", "epoch", "left"))
    for row in watch.rows(max(1, height // 2 - 2)):
        table.add_row(*map(_text, _cells(row)[: len(named)]))
    return Group(table, _text(watch.counts()))


def _text(text: str) -> "Text":
    """Return what takes one line, however narrow its column is."""
    from rich.text import Text

    from robench.visible import visible

    return Text(visible(text), no_wrap=True, overflow="ellipsis")


def _cells(row: "Row") -> list[str]:
    return [
        row.name,
        row.state,
        f"{row.epoch}/{row.epochs}" if row.epochs else "",
        "" if row.left is None else duration(row.left),
        row.device.partition(",")[0],
        row.holder,
    ]
