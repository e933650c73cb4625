"""`robench new`."""

from pathlib import Path
from typing import Any

import click

from robench.cli.printing import say
from robench.plugins import ATTACKS, DATASETS, DEFENSES, MODELS, Registry

KINDS: dict[str, Registry[Any]] = {one.kind: one for one in (DEFENSES, ATTACKS, DATASETS, MODELS)}


@click.command(name="new")
@click.argument("kind", type=click.Choice(list(KINDS)))
@click.argument("name")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="Folder to write the package's folder into.",
)
def command(kind: str, name: str, out: Path) -> None:
    """Write a package with a plugin of KIND called NAME: it works, and is yours to change.

    A module, its entry point, a test, and a README with the next commands. Overwrites nothing.
    """
    from robench.skeletons.writing import skeleton, write

    made = skeleton(KINDS[kind], name)
    folder = write(made, out)
    say(f"{folder}: {', '.join(made.texts)}")
    say("Next:")
    for line in made.commands(folder):
        say(f"  {line}")
