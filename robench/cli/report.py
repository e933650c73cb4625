"""`robench report`."""

from pathlib import Path

import click

from robench.cli.options import json_option, quiet_option, runs_option
from robench.cli.printing import emit, say
from robench.cli.stores import check_runs, report_of
from robench.errors import UserError

OUT = Path("leaderboard")


@click.command(name="report")
@runs_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=OUT,
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
@click.option(
    "--html",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write the page as FOLDER/index.html too, to look at: one file, which fetches nothing.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a page is stale.")
@json_option("Print the tables' rows as JSON, a list with an entry a table.")
@quiet_option()
@click.pass_context
def command(
    ctx: click.Context,
    runs: Path,
    out: Path,
    weights_of: tuple[str, ...],
    *,
    html: Path | None,
    check: bool,
    as_json: bool,
) -> None:
    """Merge new records into the leaderboard folder and write its page and figures.

    Without a runs folder, or with --runs none, the page is written from the records in the
    leaderboard folder alone.
    With --check, --html says which page in HTML to check beside it.
    """
    from robench import archive, leaderboard
    from robench.boards import boards

    check_runs(runs, none=True)
    if check:
        differing = leaderboard.stale(out) + (_stale(out, html) if html else [])
        for line in differing:
            say(f"stale: {line}", err=True)
        mend = report_of(out=None if out == OUT else out, html=html)
        say(f"stale; run: {mend}" if differing else f"{out} is up to date")
        ctx.exit(1 if differing else 0)
    if runs.is_dir():
        leaderboard.publish(runs, out, weights_of)
    elif weights_of:
        raise UserError(f"--weights {weights_of[0]!r}: there is no runs folder {runs} to copy from")
    leaderboard.write(out)
    if not as_json:
        say(f"{out / leaderboard.README}")
    if html:
        from robench.site import writing  # seaborn takes a second to import

        page = writing.write(out, html)
        if not as_json:
            say(f"{page}")
    if as_json:
        emit(boards(archive.read(out / leaderboard.RECORDS)))


def _stale(out: Path, html: Path) -> list[str]:
    from robench.site import writing

    return writing.stale(out, html)
