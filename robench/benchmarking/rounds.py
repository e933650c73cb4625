"""Running contests and fronts: a row for every line that ran, a word for every one that did not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from robench.benchmarking import heat
from robench.benchmarking.contestant import Contestant, Subject, budget_text, enter
from robench.benchmarking.contests import OWN, Contest, Line, Programme, at
from robench.benchmarking.heat import Heat
from robench.benchmarking.row import Row, l2_ratio, measured, passes_of
from robench.errors import RunFailed, UserError
from robench.panel import Panel


@dataclass(frozen=True, eq=False)
class Ground:
    """What all contestants share."""

    subject: Subject
    panel: Panel
    """Correctly classified images alone."""
    benign: float
    """Share of all images chosen that these are."""
    limit: float | None
    """Seconds a contestant."""


@dataclass(frozen=True)
class Failure:
    """A contestant that did not come through, and why."""

    contest: str
    name: str
    reason: str


def ordered(contest: Contest) -> tuple[Line, ...]:
    """Return the lines with the first of ours in front: the others are compared with it."""
    first = next(line for line in contest.lines if line.library == OWN)
    return (first, *(line for line in contest.lines if line is not first))


def rounds(contest: Contest, ground: Ground) -> Iterator[Row | Failure]:
    """Run every line of a contest, ours first. Raises RunFailed where ours fails."""
    reference: tuple[Heat, Row] | None = None
    radius: float | None = None
    for line in ordered(contest):
        entered = enter(line, ground.subject, len(ground.panel))
        if reference is None:
            radius = entered.radius
        try:
            done = heat.run(entered, ground.subject, ground.panel, ground.limit, radius)
        except RunFailed as error:
            if reference is None:
                raise
            yield Failure(contest.name, line.name, str(error))
            continue
        row = _row(contest.name, entered, done, ground)
        reference = reference or (done, row)
        yield _compared(row, done, *reference)


def climb(line: Line, ground: Ground) -> Iterator[Row | Failure]:
    """Run one line of the front at each value of its ladder, until time does not suffice."""
    for value in next(iter(line.ladder.values())):
        entered = enter(at(line, value), ground.subject, len(ground.panel))
        try:
            done = heat.run(entered, ground.subject, ground.panel, ground.limit, None)
        except RunFailed as error:
            yield Failure(line.title, line.name, str(error))
            return
        row = _row(line.title, entered, done, ground)
        yield row
        if not row.complete:
            return


def check(programme: Programme, ground: Ground) -> None:
    """Enter every line once; raise UserError for the first that cannot run as it is asked to."""
    count = len(ground.panel)
    for contest in programme.contests:
        for line in contest.lines:
            enter(line, ground.subject, count)
    for line in programme.front:
        for value in next(iter(line.ladder.values())):
            if enter(at(line, value), ground.subject, count).minimal is False:
                raise UserError(f"{line.name}, in the front, spends a fixed budget at any distance")


def _row(contest: str, entered: Contestant, done: Heat, ground: Ground) -> Row:
    return Row(
        contest=contest,
        library=entered.line.library,
        attack=" ".join(filter(None, (entered.line.attack, entered.line.preset))),
        budget=budget_text(entered.line),
        batch_size=done.batch_size,
        complete=len(done.verdict.outcomes.label) == len(ground.panel),
        seconds=done.seconds,
        passes=passes_of(done.passes),
        violations=done.verdict.violations,
        **measured(done.verdict.outcomes, ground.benign),
    )


def _compared(row: Row, done: Heat, own: Heat, ours: Row) -> Row:
    return replace(
        row,
        ratio=(row.seconds / row.images) / (ours.seconds / ours.images),
        l2_ratio=l2_ratio(own.verdict.outcomes, done.verdict.outcomes),
    )
