"""`robench sweep`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli.options import given, parse_lists, settings_option, training_options
from robench.cli.printing import say
from robench.cli.train import passed
from robench.errors import RunFailed, UserError

if TYPE_CHECKING:
    from robench.planning import Request
    from robench.sweeping import Ended, Event

WITH_FILE = ("file", "runs", "device", "data_dir")
"""What may be said beside a file; the rest stands in it."""
HEADER = ("defense", "seed", "accuracy", "s/epoch", "state")


@click.command(name="sweep")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--defense",
    "defenses",
    multiple=True,
    help="Name, FILE.py[:Class] or module:Class; repeatable.",
)
@settings_option(
    "Values to train each of: KEY=VALUE,VALUE,... of the defenses that have it, DEFENSE.KEY, "
    "model.KEY, dataset.KEY, or seed, epochs, lr, ...; repeatable."
)
@training_options()
def command(file: Path | None, **options: Any) -> None:
    """Train every combination of some values; what is trained already is skipped.

    The grid is given by options or by a YAML FILE (docs/sweeps.md). A run that fails stops no
    other, nor does one that another process is training; where there was one, the exit code is 1.
    """
    from robench.sweeping import Ended, sweep

    requests = _of_file(file, **options) if file else _of_options(**options)
    ended = []
    for event in sweep(requests, bar=sys.stderr.isatty()):
        say(told(event, options["runs"]))
        if isinstance(event, Ended):
            ended.append(event)
    say(f"\n{table(ended)}")
    if missing := without_run(ended):
        raise RunFailed(f"{missing}; the lines above say why")


def table(ended: "Sequence[Ended]") -> str:
    """Return one line a cell; the accuracy is the final checkpoint's, on validation images."""
    rows = [
        [
            one.cell.label,
            str(one.cell.spec.seed),
            f"{one.run.final.accuracy:.4f}" if one.run else "-",
            f"{one.run.seconds_per_epoch:.2f}" if one.run else "-",
            one.state,
        ]
        for one in ended
    ]
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEADER, *rows)
    )


def without_run(ended: "Sequence[Ended]") -> str:
    """Print why each cell without a run has none; return how many there are, if any."""
    missing = [one for one in ended if one.run is None]
    for one in missing:
        say(f"{one.state}: {_name(one)}: {one.reason}", err=True)
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


def told(event: "Event", runs: Path) -> str:
    """Return what is printed of one step of a sweep."""
    from robench.sweeping import Begun, Passed

    if isinstance(event, Passed):
        return f"  {passed(event.epoch, event.cell.spec.epochs)}"
    place = f"{event.cell.number}/{event.cell.count}  {_name(event)}"
    if isinstance(event, Begun):
        return f"{place}  {runs / event.cell.spec.key}"
    if event.run is None:
        return f"{place}  {event.state}: {event.reason}"
    return f"{place}  {event.state}, accuracy {event.run.final.accuracy:.4f}"


def _name(event: "Event") -> str:
    return f"{event.cell.label} seed {event.cell.spec.seed}"
