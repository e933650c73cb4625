"""Train every run of a grid that is missing, one after the other; a failure stops no other run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from robench.claim import Busy
from robench.data import Data
from robench.errors import UserError
from robench.planning import Plan, Request, plan
from robench.records import Epoch, Run, RunSpec, Setting
from robench.runs import RunFolder, read_run
from robench.settings import text


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


Event = Begun | Passed | Ended


def sweep(requests: Sequence[Request], *, bar: bool = False) -> Iterator[Event]:
    """Train what is missing of `requests`, in their order; yield each step as it is done.

    All are planned first, so that a mistake in any raises UserError before anything is written.
    Requests for the same run are one cell. A finished run is read, an interrupted one goes on; one
    that fails is told of as `Ended`, and the next begins.
    """
    for wanted, cell in _cells(planned(requests)):
        yield from _trained(wanted, cell, bar=bar)


def together(
    plans: Sequence[Plan], wait: Callable[[], object], *, bar: bool = False
) -> Iterator[Event]:
    """Train what is missing of `plans` as `sweep` does, beside other processes that do the same.

    What another process is training is told of as busy and left to it. Once there is nothing else
    to do, `wait` is called, and what was busy is looked at again, until each cell has ended.
    """
    left, told = _cells(plans), False
    while left:
        busy = []
        for wanted, cell in left:
            held: list[Event] = []
            for event in _trained(wanted, cell, bar=bar):
                held.append(event)
                if isinstance(event, Ended) and event.state == "busy":
                    busy.append((wanted, cell))
                    if told:
                        break  # it is no news that this one did not begin
                if not (told and isinstance(event, Begun)):
                    yield from held
                    held.clear()
        left, told = busy, True
        if left:
            wait()


def planned(requests: Sequence[Request], loaded: dict[str, Data] | None = None) -> list[Plan]:
    """Plan the requests, loading equal data once; of requests for one run the first is kept.

    `loaded`: data at hand from an earlier call; what this one loads is added.
    """
    loaded = {} if loaded is None else loaded
    plans: dict[object, Plan] = {}
    for request in requests:
        asked = _data_asked_for(request)
        wanted = plan(request, loaded.get(asked))
        loaded[asked] = wanted.data
        plans.setdefault((wanted.root, wanted.spec.key), wanted)
    return list(plans.values())


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


def _trained(wanted: Plan, cell: Cell, *, bar: bool) -> Iterator[Event]:
    folder = RunFolder(wanted.root / wanted.spec.key)
    there = folder.done.exists()
    try:
        if not there:
            yield Begun(cell)
        for row in wanted.train(bar=bar):
            yield Passed(cell, row)
        yield Ended(cell, "there already" if there else "trained", read_run(folder.path))
    except Busy as error:
        yield Ended(cell, "busy", None, str(error))
    except UserError as error:
        yield Ended(cell, "failed", None, str(error))


def _data_asked_for(request: Request) -> str:
    settings = {k: v for k, v in request.settings.items() if k.startswith("dataset.")}
    where = [request.data_dir, request.runs, request.device]
    return repr([request.dataset, sorted(settings.items()), request.validation, *where])


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
