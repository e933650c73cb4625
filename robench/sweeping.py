"""Train every run of a grid that is missing; a failure stops no other run."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from itertools import groupby
from pathlib import Path

from robench.executors.crew import ALONE, Crew
from robench.executors.executor import Task
from robench.executors.schedule import Schedule
from robench.executors.work import Work, training
from robench.pending import Intended, announced
from robench.planning import Plan, Request
from robench.plans import planned
from robench.records import RunSpec, Setting
from robench.settings import text
from robench.trainings import Aside, Begun, Cell, Died, Ended, Event, Passed, Planned, Trainings

__all__ = [
    "Aside",
    "Begun",
    "Cell",
    "Died",
    "Ended",
    "Event",
    "Passed",
    "Planned",
    "labels",
    "sweep",
    "together",
]


Then = Callable[[Ended], Iterable[tuple[Task, Collection[str]]]]
"""What can be done once a cell has ended: tasks, and the names of those that each comes after."""


def nothing(_: Ended) -> Iterable[tuple[Task, Collection[str]]]:
    """Have nothing done after a cell."""
    return ()


def sweep(requests: Sequence[Request], *, bar: bool = False, crew: Crew = ALONE) -> Iterator[Event]:
    """Train what is missing of `requests`, in their order; yield each step as it is done.

    All are planned first, so that a mistake in any raises UserError before anything is written.
    What is planned is the first step, and lies in the runs folder for others to see. Requests for
    the same run are one cell. A finished run is read, an interrupted one goes on; one that fails is
    told of as `Ended`, and the next begins. `crew`: who trains. What another process is training is
    left to it by this one; a crew comes back to it.
    """
    yield from _carried_out(
        planned(requests), None if crew.kind == "local" else crew.wait, bar, crew
    )


def together(
    plans: Sequence[Plan],
    wait: Callable[[], object],
    *,
    bar: bool = False,
    crew: Crew = ALONE,
    then: Then = nothing,
) -> Iterator[Event]:
    """Train what is missing of `plans` as `sweep` does, beside other processes that do the same.

    What another process is training is told of as busy and left to it. Once there is nothing else
    to do, `wait` is called, and what was busy is looked at again, until each cell has ended.
    `then`: asked after each cell what else can be done now, which is told of as `Aside`.
    """
    yield from _carried_out(plans, wait, bar, crew, then)


def _carried_out(
    plans: Sequence[Plan],
    wait: Callable[[], object] | None,
    bar: bool,
    crew: Crew,
    then: Then = nothing,
) -> Iterator[Event]:
    tasks, numbered = [training(one) for one in plans], _cells(plans)
    cells = {task.name: one for task, one in zip(tasks, numbered, strict=True)}
    work = Work({name: wanted for name, (wanted, _) in cells.items()}, bar=bar)
    with closing(crew.executor(work)) as executor, _announcing(numbered):
        yield Planned(tuple(cell for _, cell in numbered))
        schedule, trainings = Schedule(executor, crew.retries), Trainings(cells)
        while tasks:
            for task in tasks:
                schedule.add(task)
            for step in schedule.steps(trainings.there):
                for event in trainings.events(step):
                    yield event
                    if isinstance(event, Ended):
                        for task, after in then(event):
                            schedule.add(task, after)
            tasks = trainings.come_back() if wait else []
            if tasks and wait:
                wait()


def announcing(plans: Sequence[Plan]) -> AbstractContextManager[None]:
    """Let others see, until the end, that this process is going to carry `plans` out."""
    return _announcing(_cells(plans))


@contextmanager
def _announcing(numbered: Sequence[tuple[Plan, Cell]]) -> Iterator[None]:
    by_root: dict[Path, list[Intended]] = {}
    for wanted, cell in numbered:
        one = Intended(cell.spec.key, cell.name, cell.spec.epochs)
        by_root.setdefault(wanted.root, []).append(one)
    with ExitStack() as all_roots:
        for root, cells in by_root.items():
            all_roots.enter_context(announced(root, cells))
        yield


def labels(specs: Sequence[RunSpec]) -> list[str]:
    """Name each defense with what differs between the `specs`; of its own settings, between its."""
    flat = [_flat(spec) for spec in specs]
    differing = _differing(flat)
    own: dict[str, set[str]] = {}
    by_defense = sorted(specs, key=lambda spec: spec.defense)
    for defense, group in groupby(by_defense, key=lambda spec: spec.defense):
        own[defense] = _differing([dict(spec.settings) for spec in group])
    return [
        " ".join(
            [
                spec.defense.partition("@")[0],
                *(f"{k}={text(v)}" for k, v in spec.settings.items() if k in own[spec.defense]),
                *(f"{k}={text(v)}" for k, v in values.items() if k in differing),
            ]
        )
        for spec, values in zip(specs, flat, strict=True)
    ]


def _cells(plans: Sequence[Plan]) -> list[tuple[Plan, Cell]]:
    names = labels([one.spec for one in plans])
    return [
        (wanted, Cell(wanted.spec, label, number, len(plans)))
        for number, (wanted, label) in enumerate(zip(plans, names, strict=True), start=1)
    ]


def _flat(spec: RunSpec) -> dict[str, Setting]:
    """Return what may vary beside the defense's settings and the seed."""
    return {
        **{f"model.{key}": value for key, value in spec.model_settings.items()},
        **{f"dataset.{key}": value for key, value in spec.dataset_settings.items()},
        "model": spec.model,
        "dataset": spec.dataset,
        "validation": spec.validation,
        "epochs": spec.epochs,
        "batch_size": spec.batch_size,
        "learning_rate": spec.learning_rate,
        "ema": spec.ema,
        "precision": spec.precision,
        "rung": spec.rung,
    }


def _differing(rows: Sequence[dict[str, Setting]]) -> set[str]:
    """Return the keys that not all rows have alike."""
    keys = {key for row in rows for key in row}
    return {key for key in keys if len({row.get(key) for row in rows}) > 1}
