"""`robench submit`."""

from pathlib import Path

import click

from robench.cli.options import runs_option
from robench.cli.printing import say
from robench.cli.stores import check_runs


@click.command(name="submit")
@click.argument("what", metavar="ROW_OR_RUN...", nargs=-1, required=True)
@runs_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write. [default: ROW-HASH.robench in this folder]",
)
@click.option("--with-weights", is_flag=True, help="Enclose the networks, to be run by others.")
def command(what: tuple[str, ...], runs: Path, out: Path | None, with_weights: bool) -> None:
    """Pack rows, such as "mine 0.70", into one file for a leaderboard.

    All seeds and strengths of the row's defense: runs, matches, evaluations, audits, the
    adversarial images that were kept, and the hashes of the weights; or a network that robench did
    not train, by its name. It is checked as `robench verify FILE` does before it is written.
    """
    from robench.submissions.packing import submit

    check_runs(runs)
    path = submit(runs, what, out, weights=with_weights)
    say(f"{path} ({path.stat().st_size:,} bytes); next: robench verify {path}")
