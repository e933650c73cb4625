"""`robench train`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from robench.cli.options import parse_pairs, settings_option, training_options, with_width

if TYPE_CHECKING:
    from robench.records import Epoch


@click.command(name="train")
@click.option("--defense", required=True, help="Name, FILE.py[:Class] or module:Class.")
@settings_option("A setting: KEY=VALUE of the defense, model.KEY=VALUE, dataset.KEY=VALUE.")
@training_options()
def command(pairs: tuple[str, ...], width: float | None, **options: Any) -> None:
    """Train one defense; an interrupted run goes on, a finished one is skipped."""
    from robench.planning import Request, plan
    from robench.runs import RunFolder

    planned = plan(Request(settings=with_width(parse_pairs(pairs), width), **options))
    folder = RunFolder(planned.root / planned.spec.key)
    click.echo(f"{folder.path}{' is finished already' if folder.done.exists() else ''}")
    for row in planned.train(bar=sys.stderr.isatty()):
        click.echo(passed(row, planned.spec.epochs))


def passed(row: "Epoch", epochs: int) -> str:
    """Return the line of an epoch."""
    return (
        f"epoch {row.epoch}/{epochs}  loss {row.loss:.4f}  accuracy {row.accuracy:.4f}  "
        f"perturbation {row.perturbation:.3f}  {row.seconds:.1f} s"
    )
