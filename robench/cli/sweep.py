"""`robench sweep`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli.crew import CREW, crew_of, crew_options
from robench.cli.live import below
from robench.cli.options import (
    defense_option,
    given,
    parse_lists,
    quiet_option,
    settings_option,
    training_options,
)
from robench.cli.printing import bar, columns, say
from robench.cli.train import passed
from robench.errors import RunFailed, UserError

if TYPE_CHECKING:
    from robench.executors.schedule import Step
    from robench.planning import Request
    from robench.sweeping import Ended, Event

WITH_FILE = ("file", "runs", "device", "data_dir", *CREW)
"""What may be said beside a file; the rest stands in it."""
HEADER = ("defense", "seed", "accuracy", "s/epoch", "state")


@dataclass(frozen=True)
class End:
    """What is still said of a cell once all have ended; its run's history is not held till then."""

    number: int
    label: str
    seed: int
    state: str
    reason: str
    """Why there is no run; empty where there is."""
    trained: tuple[float, float] | None
    """Of a run: the final accuracy, on validation images, and the seconds an epoch."""


@click.command(name="sweep")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@defense_option(multiple=True)
@settings_option(
    "Values to train each of: KEY=VALUE,VALUE,... of the defenses that have it, DEFENSE.KEY, "
    "model.KEY, dataset.KEY, or seed, epochs, lr, ...; repeatable."
)
@training_options()
@crew_options()
@quiet_option()
def command(file: Path | None, **options: Any) -> None:
    """Train every combination of some values; what is trained already is skipped.

    The grid is given by options or by a YAML FILE (docs/sweeps.md). A run that fails stops no
    other, nor does one that another process is training; where there was one, the exit code is 1.
    """
    from robench.sweeping import Ended, sweep

    crew = crew_of(options, options["device"])
    requests = _of_file(file, **options) if file else _of_options(**options)
    ended = []
    with below(options["runs"], crew) as live:
        for event in sweep(requests, bar=bar(), crew=crew):
            live.see(event)
            if line := told(event, options["runs"], apart=crew.kind != "local"):
                live.say(line)
            if isinstance(event, Ended) and (event.state != "busy" or crew.kind == "local"):
                ended.append(kept(event))
    say(f"\n{table(ended)}")
    if missing := without_run(ended):
        raise RunFailed(f"{missing}; the lines above say why")


def kept(event: "Ended") -> End:
    """Return what the table needs of a cell that has ended."""
    cell, run = event.cell, event.run
    trained = (run.final.accuracy, run.seconds_per_epoch) if run else None
    return End(cell.number, cell.label, cell.spec.seed, event.state, event.reason, trained)


def table(ended: Sequence[End]) -> str:
    """Return one line a cell, in the order of the grid."""
    rows = [
        [
            one.label,
            str(one.seed),
            f"{one.trained[0]:.4f}" if one.trained else "-",
            f"{one.trained[1]:.2f}" if one.trained else "-",
            one.state,
        ]
        for one in sorted(ended, key=lambda one: one.number)
    ]
    return columns([HEADER, *rows])


def without_run(ended: Sequence[End]) -> str:
    """Print why each cell without a run has none; return how many there are, if any."""
    missing = [one for one in sorted(ended, key=lambda one: one.number) if one.trained is None]
    for one in missing:
        say(f"{one.state}: {one.label} seed {one.seed}: {one.reason}", err=True)
    busy = sum(one.state == "busy" for one in missing)
    counts = {"failed": len(missing) - busy, "left to another process": busy}
    said = [f"{count} of {len(ended)} runs {how}" for how, count in counts.items() if count]
    return " and ".join(said)


def _of_options(
    defenses: Sequence[str], pairs: tuple[str, ...], width: float | None, **options: Any
) -> "list[Request]":
    from robench.grid import SHORT, for_defenses
    from robench.planning import Request

    if not defenses:
        raise UserError("nothing to sweep; say --defense NAME, or a YAML file (docs/sweeps.md)")
    values = parse_lists(pairs)
    typed = given()
    for key in values:
        field = "width" if key == "model.width" else SHORT.get(key, key)
        if field in typed:
            raise UserError(f"both {typed[field]} and --set {key}; say one of them")
    if width is not None:
        values["model.width"] = [str(width)]
    return for_defenses(Request(defenses[0], **options), defenses, values)


def _of_file(
    file: Path, runs: Path, device: str, data_dir: Path | None, **_: Any
) -> "list[Request]":
    from robench.grid import read_file
    from robench.planning import Request

    if wrong := given(but=WITH_FILE):
        raise UserError(f"{', '.join(wrong.values())} with {file}; write it into the file instead")
    return read_file(file, Request("", runs=runs, device=device, data_dir=data_dir))


def told(event: "Event", runs: Path, *, apart: bool = False) -> str:
    """Return what is printed of one step of a sweep; `apart`: several cells are at work."""
    from robench.sweeping import Aside, Begun, Died, Passed, Planned

    if isinstance(event, Planned):
        return ""
    if isinstance(event, Aside):
        return _aside(event.step)
    if isinstance(event, Passed):
        of = f"{event.cell.name}  " if apart else ""
        return f"  {of}{passed(event.epoch, event.cell.spec.epochs)}"
    place = f"{event.cell.number}/{event.cell.count}  {event.cell.name}"
    if isinstance(event, Begun):
        return f"{place}  {runs / event.cell.spec.key}"
    if isinstance(event, Died):
        return f"{place}  {event.reason}; {'another goes on' if event.again else 'given up'}"
    if event.run is None:
        return f"{place}  {event.state}: {event.reason}"
    return f"{place}  {event.state}, accuracy {event.run.final.accuracy:.4f}"


def _aside(step: "Step") -> str:
    """Return what is printed of a task that is no training; nothing of one that only begins."""
    from robench.executors.executor import ENDED, News
    from robench.executors.schedule import Died

    name = step.task.name.rpartition(" ")[0] or step.task.name
    if isinstance(step, Died):
        return f"  {name}  {step.reason}; {'another goes on' if step.again else 'left for later'}"
    if isinstance(step, News) and step.last:
        reason = f": {step.says['reason']}" if step.says["reason"] else ""
        return f"  {name}  {step.says[ENDED]}{reason}"
    return ""
