"""`robench explain`."""

from pathlib import Path

import click

from robench.cli.options import json_option, out_option, records_of
from robench.cli.printing import emit, say
from robench.cli.stores import RunsFolder


@click.command(name="explain")
@click.argument("question", nargs=-1, required=True, metavar="ROW NUMBER")
@click.option("--target", type=float, help="Benign accuracy of the table. [default: all]")
@json_option("As JSON, a list with an entry a table.")
@out_option()
@click.option(
    "--runs",
    type=RunsFolder(),
    help="Folder of runs, or URL, to ask instead of the leaderboard.",
)
def command(
    question: tuple[str, ...], target: float | None, out: Path, runs: Path | None, *, as_json: bool
) -> None:
    """Say where a number of the leaderboard comes from.

    A row as the tables print it and a number: "pgn rho_cw", "fgm (steps=3) seed 1 rank", "pgn
    accuracy_black_fgm", "pgn rho_correct_envelope"; of two rows "fgm - pgd difference" or "fgm -
    pgd advantage". An unknown number lists those there are.
    """
    from dataclasses import asdict

    from robench import archive
    from robench.provenance import explain
    from robench.provenance_text import lines

    found = explain(archive.read(records_of(out, runs)), " ".join(question), target)
    if as_json:
        emit([asdict(one) for one in found])
        return
    say("\n\n".join("\n".join(lines(one)) for one in found))
