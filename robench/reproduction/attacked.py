"""The attacks of a drawing, each on one checkpoint, and where their results stand."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from robench.campaign import opened
from robench.data import Data
from robench.errors import RunFailed
from robench.evaluation import NamedAttack, Subject, evaluate
from robench.panel import Panel
from robench.plugins import ATTACKS
from robench.records import Evaluation
from robench.reproduction.events import Event, Failed
from robench.reproduction.recipe import Entry, Item, product
from robench.reproduction.record import Cell
from robench.reproduction.selection import Selected
from robench.settings import configure
from robench.tables import settings as typed

Steps = Generator[tuple[Event, bool], None, list[Cell]]


@dataclass(frozen=True, eq=False)
class Setup:
    """What all attacks on one checkpoint share."""

    runs: Path
    data: Data
    panel: Panel
    source: Subject | None
    """Where black-box images are made; None: white-box alone."""
    bar: bool


def attacks_of(entry: Entry) -> Iterator[tuple[str, str, NamedAttack]]:
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


def attacked_cells(setup: Setup, item: Item, chosen: Selected, failures: list[str]) -> Steps:
    """Attack one checkpoint in every way that `item` names; add to `failures` what fails."""
    run = chosen.run
    subject = opened(setup.runs / run.key, run, chosen.step, setup.data)
    cells = []
    for entry in item.attacks:
        for track, setting, named in attacks_of(entry):
            try:
                keys = yield from _both_sides(setup, subject, named, item.pictures)
            except RunFailed as error:  # what the attack trains first
                failures.append(f"{track} {setting} against {run.key}: {error}")
                yield Failed(failures[-1]), True
                continue
            place = (run.key, chosen.step, chosen.label, chosen.target, track, setting)
            cells.append(Cell(*place, *keys))
    return cells


def _both_sides(
    setup: Setup, subject: Subject, named: NamedAttack, keep: int
) -> Generator[tuple[Event, bool], None, tuple[str, str | None]]:
    """Return the keys of the white-box evaluation and, where there is a source, of the other."""

    def made(source: Subject | None) -> tuple[Evaluation, bool]:
        given = (setup.runs, subject, named, setup.panel, source)
        return evaluate(*given, data=setup.data, keep=keep, bar=setup.bar)

    white = made(None)
    yield white
    if setup.source is None:
        return white[0].key, None
    black = made(setup.source)
    yield black
    return white[0].key, black[0].key
