"""Carry recipes out: train and attack what is missing, and record which result stands where."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from robench import campaign, panel
from robench.archive import SOURCES
from robench.campaign import opened, trained_source
from robench.data import Data
from robench.environment import choose_device, describe
from robench.errors import RunFailed, UserError
from robench.evaluation import NamedAttack, Subject, evaluate
from robench.grid import expand
from robench.panel import Panel
from robench.planning import Plan, Request, like, plan
from robench.plugins import ATTACKS
from robench.records import Run
from robench.reproduction import record
from robench.reproduction.published import NONE, datasets
from robench.reproduction.recipe import Entry, Item, Recipe, Values, product, read, scale
from robench.reproduction.record import Cell, Reproduction, Shown
from robench.reproduction.selection import Selected, select
from robench.runs import read_run
from robench.settings import configure
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


@dataclass(frozen=True)
class Failed:
    """A run that could not be trained; the rest goes on without it."""

    reason: str


Event = Recipe | Plan | campaign.Event | Failed | Reproduction
"""A recipe begins, a run begins, an epoch or an evaluation is done, a run failed, all is stored."""


@dataclass(frozen=True, eq=False)
class _Kitchen:
    """What all recipes of one call share."""

    asked: Asked
    values: Values
    bar: bool
    loaded: dict[str, Data] = field(default_factory=dict)


def reproduce(asked: Asked, *, bar: bool = False) -> Iterator[tuple[Event, bool]]:
    """Carry out every recipe asked for; yield each step and whether it is new.

    All is stored as soon as it is known, so that a repeated call goes on where the last stopped.
    Mistakes in any recipe show before anything is trained.
    """
    values = scale(asked.scale, asked.changes)
    recipes = [_on(read(name, values), asked.dataset) for name in dict.fromkeys(asked.recipes)]
    if asked.published not in (None, NONE, *datasets()):
        there = ", ".join((*datasets(), NONE))
        raise UserError(f"--published {asked.published}: there is {there}")
    for recipe in recipes:
        for item in recipe.show:
            for entry in item.attacks:
                list(_attacks(entry))  # raises for a setting that the attack lacks
    kitchen = _Kitchen(asked, values, bar)
    menu = [(recipe, _planned(kitchen, recipe)) for recipe in recipes]
    for recipe, plans in menu:
        yield recipe, True
        yield from _carry_out(kitchen, recipe, plans)


def _on(recipe: Recipe, dataset: str | None) -> Recipe:
    return recipe if dataset is None else replace(recipe, dataset=dataset)


def _planned(kitchen: _Kitchen, recipe: Recipe) -> dict[str, list[Plan]]:
    """Plan every run of a recipe, by group; the data is loaded once."""
    asked, values = kitchen.asked, kitchen.values
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
        group: [
            _plan(kitchen, request)
            for entry in entries
            for request in _requests(template, {"seed": seeds, **entry})  # type: ignore[dict-item]
        ]
        for group, entries in recipe.train.items()
    }


_TRAINING = ("epochs", "batch_size", "learning_rate", "ema", "rung", "validation", "precision")


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _requests(template: Request, entry: Entry) -> list[Request]:
    rest = {key: values for key, values in entry.items() if key != "defense"}
    return expand(replace(template, defense=str(entry["defense"][0])), rest)


def _plan(kitchen: _Kitchen, request: Request) -> Plan:
    made = plan(request, kitchen.loaded.get(request.dataset))
    kitchen.loaded[request.dataset] = made.data
    return made


def _carry_out(
    kitchen: _Kitchen, recipe: Recipe, plans: Mapping[str, list[Plan]]
) -> Iterator[tuple[Event, bool]]:
    runs: dict[str, list[Run]] = {}
    failures: list[str] = []
    for group, own in plans.items():
        runs[group] = []
        for planned in own:
            run = yield from _trained(kitchen, planned, failures)
            runs[group] += [run] if run else []
    shown = []
    for item in recipe.show:
        shown.append((yield from _shown(kitchen, recipe, item, runs[item.of])))
    published = kitchen.asked.published
    made = record.described(
        recipe,
        kitchen.asked.scale,
        kitchen.values,
        dataset=recipe.dataset,
        classes=kitchen.loaded[recipe.dataset].classes,
        published=published or (recipe.dataset if recipe.dataset in datasets() else NONE),
        shown=tuple(shown),
        failures=tuple(failures),
        environment=describe(choose_device(kitchen.asked.device)),
    )
    record.write(kitchen.asked.runs, made)
    yield made, True


def _trained(
    kitchen: _Kitchen, planned: Plan, failures: list[str]
) -> Generator[tuple[Event, bool], None, Run | None]:
    """Train one run unless it is there; None where it fails."""
    folder = planned.root / planned.spec.key
    yield planned, not (folder / "DONE").exists()
    try:
        for row in planned.train(bar=kitchen.bar):
            yield row, True
    except RunFailed as error:
        failures.append(f"{planned.spec.defense} ({typed(planned.spec.settings)}): {error}")
        yield Failed(failures[-1]), True
        return None
    return read_run(folder)


def _shown(
    kitchen: _Kitchen, recipe: Recipe, item: Item, runs: list[Run]
) -> Generator[tuple[Event, bool], None, Shown]:
    """Select the checkpoints of one drawing and attack each of them."""
    tolerance = float(_single(kitchen.values["tolerance"]))
    selected, unmatched = select(item, runs, tolerance)
    cells: list[Cell] = []
    if selected:
        data = kitchen.loaded[recipe.dataset]
        attacked = panel.choose(data, _single(kitchen.values["images"]), 0)
        source = None
        if item.black_box:
            source = yield from _source(kitchen, selected[0].run, data)
        for one in selected:
            cells += yield from _attacked(kitchen, item, one, data, attacked, source)
    return Shown(
        item.show, item.title, tuple(cells), tuple(unmatched), item.published, item.pictures
    )


def _source(
    kitchen: _Kitchen, run: Run, data: Data
) -> Generator[tuple[Event, bool], None, Subject]:
    asked = kitchen.asked
    wanted, defense = like(run.spec, asked.source, asked.source_seed)
    root = asked.runs / SOURCES
    return (yield from trained_source(root, wanted, defense, data, bar=kitchen.bar))


def _attacked(
    kitchen: _Kitchen,
    item: Item,
    chosen: Selected,
    data: Data,
    attacked: Panel,
    source: Subject | None,
) -> Generator[tuple[Event, bool], None, list[Cell]]:
    """Attack one checkpoint in every way that the item names."""
    runs, run = kitchen.asked.runs, chosen.run
    subject = opened(runs / run.key, run, chosen.step, data)
    cells = []
    for entry in item.attacks:
        for track, setting, named in _attacks(entry):
            keys: list[str | None] = []
            for made_on in (None, source) if source else (None,):
                found, new = evaluate(
                    runs,
                    subject,
                    named,
                    attacked,
                    made_on,
                    data=data,
                    keep=item.pictures,
                    bar=kitchen.bar,
                )
                yield found, new
                keys.append(found.key)
            white, black = (*keys, None)[:2]
            assert white is not None
            cells.append(
                Cell(
                    run.key, chosen.step, chosen.label, chosen.target, track, setting, white, black
                )
            )
    return cells


def _attacks(entry: Entry) -> Iterator[tuple[str, str, NamedAttack]]:
    """Yield the attacks of an entry with their track's name and their place along it.

    The first setting that is varied runs along the track; each further one makes tracks.
    """
    plugin = ATTACKS.get(str(entry["attack"][0]))
    varied = [key for key, values in entry.items() if len(values) > 1]
    for row in product(entry):
        own = {key: value for key, value in row.items() if key != "attack"}
        apart = {key: own[key] for key in varied[1:]}
        track = f"{plugin.name} ({typed(apart)})" if apart else plugin.name
        setting = typed({key: own[key] for key in varied[:1]})
        yield track, setting, NamedAttack(plugin.name, configure(plugin.cls, own, plugin.name))
