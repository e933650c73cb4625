"""A whole benchmark: all contests, then the front, each row as soon as it is known."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from robench.allocator import keep_freed_memory
from robench.benchmarking import rounds
from robench.benchmarking.contestant import EXTRA, versions
from robench.benchmarking.contests import OWN, Contest, Line, Programme
from robench.benchmarking.floor import fastest, measure
from robench.benchmarking.ground import Prepared
from robench.benchmarking.record import Results
from robench.benchmarking.rounds import Failure, Ground
from robench.benchmarking.row import Row, floored
from robench.errors import UserError
from robench.records import Precision


@dataclass(frozen=True)
class Field:
    """What will run, and the libraries that it takes."""

    programme: Programme
    libraries: dict[str, str]
    """Version by peer; empty where it is not installed and its lines are left out."""

    @property
    def missing(self) -> list[str]:
        """Return a line for each peer that is not installed."""
        absent = [name for name, version in self.libraries.items() if not version]
        return [f"{name} is not installed, its attacks are left out; {EXTRA}" for name in absent]


def field(programme: Programme, *, front: bool, asked: tuple[str, ...] = ()) -> Field:
    """Leave out the lines of libraries that are not installed, and the front if it is not wanted.

    Raises UserError for a library that no peer is called by, and for one `asked` for by name that
    is not installed.
    """
    wanted = programme if front else replace(programme, front=())
    lines = [line for contest in wanted.contests for line in contest.lines]
    found = versions({line.library for line in (*lines, *wanted.front)})
    if absent := [name for name in asked if name != OWN and not found.get(name, "there")]:
        raise UserError(f"--library {absent[0]}: it is not installed; {EXTRA}")

    def there(lines: tuple[Line, ...]) -> tuple[Line, ...]:
        return tuple(line for line in lines if line.library == OWN or found[line.library])

    contests = tuple(Contest(c.name, c.title, there(c.lines)) for c in wanted.contests)
    return Field(Programme(contests, there(wanted.front)), found)


Step = Row | Failure | None
"""What is new; None where the passes were timed once more, which all floors follow from."""


def conduct(programme: Programme, prepared: Prepared) -> Iterator[tuple[Step, Results]]:
    """Run everything; yield each step with all results so far."""
    keep_freed_memory()
    ground = prepared.ground
    rounds.check(programme, ground)
    results = Results((), (), (), ())
    for contest in programme.contests:
        for one in rounds.rounds(contest, ground):
            results = _with(results, one, "rows")
            yield one, results
        results = _timed(results, ground)
        yield None, results
    for line in programme.front:
        for one in rounds.climb(line, ground):
            results = _with(results, one, "front")
            yield one, results
    if programme.front:
        yield None, _timed(results, ground)


def _timed(results: Results, ground: Ground) -> Results:
    """Return results with the floors that follow from one more measurement of passes."""
    rows = (*results.rows, *results.front)
    seen: list[Precision] = ["float32"]
    if any(row.passes["forward_bf16"] for row in rows):
        seen.append("bf16")
    network = ground.subject.network
    x = torch.from_numpy(ground.panel.x).to(next(network.parameters()).device)
    best = fastest(results.fastest, measure(network, x, seen))
    return replace(
        results,
        fastest=best,
        rows=tuple(floored(row, best) for row in results.rows),
        front=tuple(floored(row, best) for row in results.front),
    )


def _with(results: Results, one: Row | Failure, name: str) -> Results:
    if isinstance(one, Failure):
        return replace(results, failures=(*results.failures, one))
    row = floored(one, results.fastest)
    changed: Results = replace(results, **{name: (*getattr(results, name), row)})
    return changed
