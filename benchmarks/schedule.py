"""Simulate a sweep of thousands of cells that train nothing: what robench itself costs for each.

python benchmarks/schedule.py --cells 1000 10000 1000

All is that of `robench sweep --executor processes`, but for two things: two workers are
pretended in this process, and a cell ends at once, after some epochs that it only tells of, with a
network of no weights. Each size has a process of its own. Seconds are of a processor and not of the
clock.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from robench import runs, weights
from robench.claim import claimed
from robench.cli.sweep import End, kept, table, told
from robench.executors.crew import Crew
from robench.executors.executor import Executor, News, Task
from robench.executors.local import Saying
from robench.executors.work import Work
from robench.grid import for_defenses
from robench.planning import Plan, Request
from robench.plans import planned
from robench.processes import ALONE
from robench.progress import finished
from robench.records import Checkpoint, Epoch
from robench.runs import RunFolder
from robench.standing import standings
from robench.sweeping import Ended, together
from robench.training import described

WORKERS = 2
SEEDS = 100
"""Of each variant; as many variants as are needed."""
EPOCHS = 5
MARKS = (0.1, 0.5, 1.0)
"""Shares of the cells at whose ends memory is looked at."""


@dataclass(frozen=True)
class Cost:
    """What a sweep of so many cells took: milliseconds of a processor a cell, and MiB."""

    cells: int
    planning: float
    """From requests to plans, before the first cell begins."""
    sweeping: float
    """The head of the sweep: what to begin, news, reading what has ended, printing."""
    working: float
    """The workers, which do all but train: logs, leases, records, weights."""
    again: float
    """The same sweep once more, all of it there: planning left out."""
    status: float
    """`robench status` on the folder of all cells."""
    memory: tuple[float, ...]
    """Resident at MARKS."""


class Pretended(Plan):
    """A plan whose training ends at once: no step is done, and all files but the state written."""

    def train(self, **_: Any) -> Iterator[Epoch]:
        """Write what a finished run leaves behind."""
        folder = RunFolder(self.root / self.spec.key)
        if finished(folder, self.spec, ALONE):
            return
        with claimed(folder.path) as claim:
            runs.write_manifest(folder, described(self.spec, self.defense, self.data))
            epochs = [Epoch(number, 1.0, 0.5, 1.0, 0.0) for number in range(1, EPOCHS + 1)]
            yield from epochs
            claim.check()
            runs.write_rows(folder.history, Epoch, epochs)
            sha256 = weights.save(folder.final, {}, {"run": self.spec.key})
            final = Checkpoint(self.spec.key, 1, EPOCHS, 0.5, folder.final.name, sha256, True)
            runs.write_rows(folder.checkpoints, Checkpoint, [final])
            runs.vouch(folder)


class Pretence:
    """Workers that are this process: each goes on by a message in turn, its time counted apart."""

    def __init__(self, work: Callable[[Task], Saying]) -> None:
        """Keep `work`, which does a task."""
        self.seconds = 0.0
        self._work = work
        self._tasks: deque[tuple[Task, Saying]] = deque()

    def room(self) -> bool:
        """Tell whether a worker has nothing to do."""
        return len(self._tasks) < WORKERS

    def begin(self, task: Task) -> None:
        """Give a task, which travels as text, to a worker."""
        arrived = Task(**json.loads(json.dumps(asdict(task))))
        self._tasks.append((task, self._work(arrived)))

    def news(self) -> News:
        """Have the worker whose turn it is say something."""
        task, saying = self._tasks.popleft()
        start = time.process_time()
        said = next(saying)
        self.seconds += time.process_time() - start
        news = News(task, json.loads(json.dumps(said)))
        if not news.last:
            self._tasks.append((task, saying))
        return news

    def close(self) -> None:
        """Have nobody at work, as no task is left."""


@dataclass(frozen=True)
class Pretenders(Crew):
    """The crew of such workers."""

    def executor(self, work: Work) -> Executor:
        """Return them, and remember them."""
        made = Pretence(work.done)
        _MADE.append(made)
        return made


_MADE: list[Pretence] = []


def swept(plans: list[Plan], folder: Path, marks: dict[int, float]) -> float:
    """Carry a sweep out as `robench sweep` does; return its seconds, those of workers included.

    `marks`: filled with the memory at the end of so many cells.
    """
    start, ended, crew = time.process_time(), list[End](), Pretenders("processes")
    with open(os.devnull, "w", encoding="utf-8") as terminal:
        for event in together(plans, crew.wait, crew=crew):
            print(told(event, folder, apart=True), file=terminal)
            if isinstance(event, Ended):
                ended.append(kept(event))
                if len(ended) in marks:
                    marks[len(ended)] = resident()
        print(table(ended), file=terminal)
    if bad := [one for one in ended if one.state not in ("trained", "there already")]:
        raise RuntimeError(f"{len(bad)} cells have not ended well: {bad[0].reason}")
    return time.process_time() - start


def measured(cells: int, folder: Path) -> Cost:
    """Measure a sweep of so many cells under `folder`."""
    template = Request("", {"model.width": 0.1}, dataset="digits", runs=folder, device="cpu")
    eps = [0.01 * (number + 1) for number in range(max(1, cells // SEEDS))]
    values: dict[str, Any] = {
        "seed": list(range(min(cells, SEEDS))),
        "eps": eps,
        "epochs": [EPOCHS],
    }
    requests = for_defenses(template, ["fgm"], values)
    planned(requests[:1])  # what is imported and read once is not a cell's
    start = time.process_time()
    plans: list[Plan] = [
        Pretended(**{one.name: getattr(plan, one.name) for one in fields(plan)})
        for plan in planned(requests)
    ]
    planning = time.process_time() - start
    marks = {max(1, int(share * len(plans))): 0.0 for share in MARKS}
    whole = swept(plans, folder, marks)
    working = _MADE[-1].seconds
    again = swept(plans, folder, {})
    start = time.process_time()
    standings(folder)
    status = time.process_time() - start
    each = 1000 / len(plans)
    return Cost(
        cells=len(plans),
        planning=planning * each,
        sweeping=(whole - working) * each,
        working=working * each,
        again=again * each,
        status=status * each,
        memory=tuple(marks.values()),
    )


def resident() -> float:
    """Return the resident memory of this process, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measure each size in a process of its own; print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[1000, 10_000, 1000])
    parser.add_argument("--out", type=Path, help="make the runs here, and leave them")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.out:
        print(json.dumps(asdict(measured(asked.cells[0], asked.out))))
        return
    costs = []
    for cells in asked.cells:
        with tempfile.TemporaryDirectory() as made:
            own = [sys.executable, __file__, "--cells", str(cells), "--out", made]
            said = subprocess.run(own, check=True, stdout=subprocess.PIPE, text=True).stdout
        costs.append(json.loads(said.splitlines()[-1]))
        print(costs[-1], flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(costs, indent=1) + "\n")


if __name__ == "__main__":
    main()
