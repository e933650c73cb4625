"""`robench reproduce`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli import sweep
from robench.cli.crew import crew_of, crew_options
from robench.cli.live import below
from robench.cli.options import (
    data_option,
    device_option,
    parse_lists,
    quiet_option,
    runs_option,
)
from robench.cli.printing import bar, say

if TYPE_CHECKING:
    from robench.reproduction.events import Event


@click.command(name="reproduce")
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--scale", default="full", show_default=True, help="full, half or smoke.")
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE[,VALUE]",
    help="A value of the scale, such as epochs=8 or eps=0.1,0.3; repeatable.",
)
@click.option("--dataset", help="Another data set than the recipe's.")
@data_option()
@click.option(
    "--published",
    help="Whose published results to show: cifar10, cifar100 or none. [default: the recipe's]",
)
@runs_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reproduction"),
    show_default=True,
    help="Folder of the pages, their figures and the records they are made from.",
)
@device_option()
@crew_options()
@quiet_option()
@click.pass_context
def command(
    ctx: click.Context, /, names: tuple[str, ...], pairs: tuple[str, ...], out: Path, **options: Any
) -> None:
    """Train, attack and draw what a table or figure of the paper shows.

    NAME: table2, table3, figure2 to figure5, figure7, figure8, table4, all of these by `all`, or a
    recipe of your own as FILE.yaml. What is trained or evaluated already is not done again; a
    second call only draws. Without a NAME, the recipes are listed.
    """
    from robench import leaderboard
    from robench.reproduction.conducting import Asked, reproduce
    from robench.reproduction.events import Failed
    from robench.reproduction.record import Reproduction

    if not names:
        _list()
        return
    crew = crew_of(options, options["device"])
    asked = Asked(recipes=_expanded(names), changes=parse_lists(pairs), **options)
    made, failed = [], []
    with below(asked.runs, crew) as live:
        for event, new in reproduce(asked, bar=bar(), crew=crew):
            live.see(event)
            if isinstance(event, Reproduction):
                made.append(event)
            elif isinstance(event, Failed):
                failed.append(event.reason)
            if line := _line(event, new, asked.runs):
                live.say(line)
    leaderboard.publish(asked.runs, out)
    leaderboard.write(out)
    for one in made:
        say(f"{one.title}: {out / leaderboard.page_of(one)}")
    for reason in failed:
        say(f"not trained: {reason}", err=True)
    ctx.exit(1 if failed else 0)


def _expanded(names: tuple[str, ...]) -> tuple[str, ...]:
    from robench.reproduction.recipe import PUBLISHED_ORDER

    return tuple(one for name in names for one in (PUBLISHED_ORDER if name == "all" else (name,)))


def _list() -> None:
    from robench.reproduction.recipe import names, read, scales

    values = next(iter(scales().values()))
    for name in names():
        say(f"  {name:<10}{read(name, values).title}")


def _line(event: "Event", new: bool, runs: Path) -> str:
    from robench import sweeping
    from robench.planning import Plan
    from robench.records import Epoch, Evaluation
    from robench.reproduction.events import Failed
    from robench.reproduction.recipe import Recipe
    from robench.tables import settings

    if isinstance(event, Recipe):
        return f"{event.name}: {event.title}"
    if isinstance(event, Plan) and new:
        of = f" ({settings(event.spec.settings)})" if event.spec.settings else ""
        return f"  train {event.spec.defense}{of} seed {event.spec.seed}: {event.spec.key}"
    if isinstance(event, Epoch):
        return f"    epoch {event.epoch}  accuracy {event.accuracy:.4f}  {event.seconds:.1f} s"
    if isinstance(event, Evaluation) and new:
        side = "white-box" if event.white_box else "black-box"
        of = f"{event.run} step {event.step}"
        return f"  attack {of}: {event.attack} {side}  {event.seconds:.1f} s"
    if isinstance(event, sweeping.Event):
        return sweep.told(event, runs, apart=True)
    return f"  failed: {event.reason}" if isinstance(event, Failed) else ""
