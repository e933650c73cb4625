"""`robench train`."""

from typing import TYPE_CHECKING, Any

import click

from robench.cli.options import (
    defense_option,
    parse_pairs,
    quiet_option,
    settings_option,
    training_options,
    with_width,
)
from robench.cli.printing import bar, say

if TYPE_CHECKING:
    from robench.records import Epoch


@click.command(name="train")
@defense_option()
@settings_option("A setting: KEY=VALUE of the defense, model.KEY=VALUE, dataset.KEY=VALUE.")
@training_options()
@quiet_option()
def command(pairs: tuple[str, ...], width: float | None, **options: Any) -> None:
    """Train one defense; an interrupted run goes on, a finished one is skipped.

    Under torchrun, its processes train the run together.
    """
    from robench import mirrors
    from robench.planning import Request, plan
    from robench.processes import joined
    from robench.runs import RunFolder

    with joined(options["device"]) as processes:
        with processes.first_before_others():  # who fetches and decodes images for all
            planned = plan(Request(settings=with_width(parse_pairs(pairs), width), **options))
        folder = RunFolder(planned.root / planned.spec.key)
        if processes.first:
            mirrors.refresh(folder.path)
        there = " is finished already" if folder.done.exists() else ""
        if processes.first:
            say(f"{folder.path}{there}")
        for row in planned.train(bar=bar(), processes=processes):
            if processes.first:
                say(passed(row, planned.spec.epochs))


def passed(row: "Epoch", epochs: int) -> str:
    """Return the line of an epoch."""
    return (
        f"epoch {row.epoch}/{epochs}  loss {row.loss:.4f}  accuracy {row.accuracy:.4f}  "
        f"perturbation {row.perturbation:.3f}  {row.seconds:.1f} s"
    )
