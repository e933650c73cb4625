"""Carry recipes out: train and attack what is missing, and record which result stands where."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from robench import panel, sweeping
from robench.archive import SOURCES
from robench.campaign import trained_source
from robench.data import Data
from robench.environment import choose_device, describe
from robench.errors import RunFailed, UserError
from robench.evaluation import Subject
from robench.executors.crew import ALONE, Crew
from robench.grid import expand
from robench.planning import Plan, Request, like
from robench.plans import planned
from robench.published import NONE, datasets
from robench.records import Run
from robench.reproduction import record
from robench.reproduction.attacked import Setup, attacked_cells, attacks_of
from robench.reproduction.events import Event, Failed
from robench.reproduction.recipe import Entry, Item, Recipe, Values, read, scale
from robench.reproduction.record import Cell, Shown
from robench.reproduction.selection import select
from robench.runs import RunFolder, read_run
from robench.tables import settings as typed


@dataclass(frozen=True)
class Asked:
    """What a person asks to reproduce."""

    recipes: Sequence[str]
    scale: str = "full"
    changes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values of the scale to replace, as words."""
    dataset: str | None = None
    """None: that of each recipe."""
    data_dir: Path | None = None
    published: str | None = None
    """Whose published results to show; None: those of the recipe's own data set."""
    source: str = "baseline"
    """The defense of the network that black-box images are made on."""
    source_seed: int = 1000
    runs: Path = Path("runs")
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class _Call:
    """What all recipes of one call share."""

    asked: Asked
    values: Values
    bar: bool
    loaded: dict[str, Data] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Why runs that a crew has tried failed, by their keys."""


def reproduce(
    asked: Asked, *, bar: bool = False, crew: Crew = ALONE
) -> Iterator[tuple[Event, bool]]:
    """Carry out every recipe asked for; yield each step and whether it is new.

    All is stored as soon as it is known, so that a repeated call goes on where the last stopped.
    Mistakes in any recipe show before anything is trained. A crew trains all recipes' runs first.
    """
    values = scale(asked.scale, asked.changes)
    recipes = [_on(read(name, values), asked.dataset) for name in dict.fromkeys(asked.recipes)]
    if asked.published not in (None, NONE, *datasets()):
        there = ", ".join((*datasets(), NONE))
        raise UserError(f"--published {asked.published}: there is {there}")
    for recipe in recipes:
        for item in recipe.show:
            for entry in item.attacks:
                list(attacks_of(entry))  # raises for a setting that the attack lacks
    call = _Call(asked, values, bar)
    planned_for = [(recipe, _planned(call, recipe)) for recipe in recipes]
    if crew.kind != "local":
        for event in _by_crew(call, [plans for _, plans in planned_for], crew):
            yield event, True
    with sweeping.announcing(_each([plans for _, plans in planned_for])):
        for recipe, plans in planned_for:
            yield recipe, True
            yield from _carry_out(call, recipe, plans)


def _each(several: Sequence[Mapping[str, list[Plan]]]) -> list[Plan]:
    """Return the plans of all recipes; what two of them need is there once."""
    by_key = {one.spec.key: one for plans in several for own in plans.values() for one in own}
    return list(by_key.values())


def _by_crew(
    call: _Call, several: Sequence[Mapping[str, list[Plan]]], crew: Crew
) -> Iterator[sweeping.Event]:
    """Train what is missing of all recipes; what two of them need is trained once."""
    for event in sweeping.together(_each(several), crew.wait, crew=crew):
        if isinstance(event, sweeping.Ended) and event.state == "failed":
            call.failed[event.cell.spec.key] = event.reason
        yield event


def _on(recipe: Recipe, dataset: str | None) -> Recipe:
    return recipe if dataset is None else replace(recipe, dataset=dataset)


def _planned(call: _Call, recipe: Recipe) -> dict[str, list[Plan]]:
    """Plan every run of a recipe, by group; the data is loaded once."""
    asked, values = call.asked, call.values
    own = {name: values[name] for name in _TRAINING if values.get(name) is not None}
    template = Request(
        defense="",
        settings={"model.width": _single(values["width"])},
        dataset=recipe.dataset,
        data_dir=asked.data_dir,
        runs=asked.runs,
        device=asked.device,
        **own,  # type: ignore[arg-type]
    )
    seeds = values["seeds"]
    return {
        group: planned(
            [
                request
                for entry in entries
                for request in _requests(template, {"seed": seeds, **entry})  # type: ignore[dict-item]
            ],
            call.loaded,
        )
        for group, entries in recipe.train.items()
    }


_TRAINING = ("epochs", "batch_size", "learning_rate", "ema", "rung", "validation", "precision")


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _requests(template: Request, entry: Entry) -> list[Request]:
    rest = {key: values for key, values in entry.items() if key != "defense"}
    return expand(replace(template, defense=str(entry["defense"][0])), rest)


def _carry_out(
    call: _Call, recipe: Recipe, plans: Mapping[str, list[Plan]]
) -> Iterator[tuple[Event, bool]]:
    runs: dict[str, list[Run]] = {}
    failures: list[str] = []
    for group, own in plans.items():
        runs[group] = []
        for wanted in own:
            run = yield from _trained(call, wanted, failures)
            runs[group] += [run] if run else []
    data = {wanted.spec.key: wanted.data for own in plans.values() for wanted in own}
    shown = []
    for item in recipe.show:
        shown.append((yield from _shown(call, item, runs[item.of], data, failures)))
    published = call.asked.published
    made = record.described(
        recipe,
        call.asked.scale,
        call.values,
        dataset=recipe.dataset,
        classes=next(iter(data.values())).classes,
        published=published or (recipe.dataset if recipe.dataset in datasets() else NONE),
        shown=tuple(shown),
        failures=tuple(failures),
        environment=describe(choose_device(call.asked.device)),
    )
    record.write(call.asked.runs, made)
    yield made, True


def _trained(
    call: _Call, wanted: Plan, failures: list[str]
) -> Generator[tuple[Event, bool], None, Run | None]:
    """Train one run unless it is there; None where it fails."""
    folder = RunFolder(wanted.root / wanted.spec.key)
    yield wanted, not folder.done.exists()
    try:
        if reason := call.failed.get(wanted.spec.key):
            raise RunFailed(reason)
        for row in wanted.train(bar=call.bar):
            yield row, True
    except RunFailed as error:
        failures.append(f"{wanted.spec.defense} ({typed(wanted.spec.settings)}): {error}")
        yield Failed(failures[-1]), True
        return None
    return read_run(folder.path)


def _shown(
    call: _Call,
    item: Item,
    runs: list[Run],
    data: Mapping[str, Data],
    failures: list[str],
) -> Generator[tuple[Event, bool], None, Shown]:
    """Select the checkpoints of one drawing and attack each of them."""
    tolerance = float(_single(call.values["tolerance"]))
    selected, unmatched = select(item, runs, tolerance)
    cells: list[Cell] = []
    if selected:
        run = selected[0].run
        attacked = panel.choose(data[run.key], _single(call.values["images"]), 0)
        source = None
        if item.black_box:
            source = yield from _source(call, run, data[run.key])
        for one in selected:
            setup = Setup(call.asked.runs, data[one.run.key], attacked, source, call.bar)
            cells += yield from attacked_cells(setup, item, one, failures)
    return Shown(
        item.show, item.title, tuple(cells), tuple(unmatched), item.published, item.pictures
    )


def _source(call: _Call, run: Run, data: Data) -> Generator[tuple[Event, bool], None, Subject]:
    asked = call.asked
    wanted, defense = like(run.spec, asked.source, asked.source_seed)
    root = asked.runs / SOURCES
    return (yield from trained_source(root, wanted, defense, data, bar=call.bar))
