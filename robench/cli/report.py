"""`robench report`."""

from pathlib import Path

import click

from robench.cli.options import runs_option
from robench.cli.printing import say
from robench.errors import UserError


@click.command(name="report")
@runs_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("leaderboard"),
    show_default=True,
    help="Folder of the page, its figures and the records they are made from.",
)
@click.option(
    "--weights",
    "weights_of",
    multiple=True,
    metavar="ROW",
    help='Copy the weights of a row, such as "pgn 0.70", too: robench verify then needs no runs.',
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the page is stale.")
@click.pass_context
def command(
    ctx: click.Context, runs: Path, out: Path, weights_of: tuple[str, ...], check: bool
) -> None:
    """Merge new records into the leaderboard folder and write its page and figures.

    Without a runs folder, the page is written from the records in the leaderboard folder alone.
    """
    from robench import leaderboard

    if check:
        differing = leaderboard.stale(out)
        for line in differing:
            say(f"stale: {line}", err=True)
        say("stale; run: robench report" if differing else f"{out} is up to date")
        ctx.exit(1 if differing else 0)
    if runs.is_dir():
        leaderboard.publish(runs, out, weights_of)
    elif weights_of:
        raise UserError(f"--weights {weights_of[0]!r}: there is no runs folder {runs} to copy from")
    leaderboard.write(out)
    say(f"{out / leaderboard.README}")
