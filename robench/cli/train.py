"""`robench train`."""

import sys
from typing import Any

import click

from robench.cli.options import (
    data_option,
    device_option,
    parse_pairs,
    runs_option,
    settings_option,
)


@click.command(name="train")
@click.option("--defense", required=True, help="Name, FILE.py[:Class] or module:Class.")
@settings_option("A setting: KEY=VALUE of the defense, model.KEY=VALUE, dataset.KEY=VALUE.")
@click.option("--dataset", default="cifar10", show_default=True)
@data_option()
@click.option("--validation", type=int, help="Images held out to choose by. [default: a tenth]")
@click.option("--model", default="convpool", show_default=True)
@click.option("--width", type=float, help="Short for --set model.width=...")
@click.option("--epochs", type=int, default=200, show_default=True)
@click.option("--batch-size", type=int, default=128, show_default=True)
@click.option("--lr", "learning_rate", type=float, default=5e-4, show_default=True)
@click.option("--ema", type=float, default=0.998, show_default=True, help="Decay per step.")
@click.option(
    "--precision", type=click.Choice(["auto", "bf16", "float32"]), default="auto", show_default=True
)
@click.option(
    "--rung", type=float, default=0.005, show_default=True, help="Accuracy between checkpoints."
)
@click.option("--seed", type=int, default=0, show_default=True)
@runs_option()
@device_option()
def command(pairs: tuple[str, ...], width: float | None, **options: Any) -> None:
    """Train one defense; an interrupted run goes on, a finished one is skipped."""
    from robench.planning import Request, plan
    from robench.runs import RunFolder

    settings = parse_pairs(pairs)
    if width is not None:
        settings["model.width"] = str(width)
    planned = plan(Request(settings=settings, **options))
    folder = RunFolder(planned.root / planned.spec.key)
    click.echo(f"{folder.path}{' is finished already' if folder.done.exists() else ''}")
    for row in planned.train(bar=sys.stderr.isatty()):
        click.echo(
            f"epoch {row.epoch}/{planned.spec.epochs}  loss {row.loss:.4f}  "
            f"accuracy {row.accuracy:.4f}  perturbation {row.perturbation:.3f}  "
            f"{row.seconds:.1f} s"
        )
