"""`robench verify`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robench.cli.options import (
    again_option,
    data_option,
    device_option,
    out_option,
    quiet_option,
    records_of,
    runs_option,
)
from robench.cli.stores import check_runs
from robench.cli.verdicts import say_verdicts
from robench.errors import UserError

if TYPE_CHECKING:
    from robench.verification import Finding


@click.command(name="verify")
@click.argument("what", metavar="ROW_OR_RUN_OR_FILE")
@out_option(None, "Leaderboard whose records to check; weights are taken from --runs, if there.")
@click.option("--model", help="Of a network that robench did not train: what builds it.")
@runs_option()
@data_option()
@again_option()
@device_option()
@quiet_option()
def command(
    what: str,
    out: Path | None,
    runs: Path,
    data_dir: Path | None,
    again: int,
    device: str,
    model: str | None,
) -> None:
    """Recompute what the records of a run say, or those of a row such as "pgn 0.605".

    Hashes of weights and images, predictions on all attacked images, and the adversarial images
    that were kept. Exits with 1 where something does not match. With --out, what needs weights or
    images that are not there is left, and the last line says so.

    A FILE is a submission, as `robench submit` packs it. Nothing in it is trusted: it is unpacked
    into a folder of its own, compared with itself, and, as far as it encloses weights and the data
    set is at hand, with both.
    """
    from robench.submissions.packing import ENDING

    check_runs(runs, none=True)
    if Path(what).is_file() or what.endswith(ENDING):
        if out is not None:
            raise UserError(f"{what} is a submission; --out is for rows and runs")
        _submission(Path(what), runs, data_dir, again, device, model)
        return
    if again:
        raise UserError(f"--again is for submissions, and there is no file {what}")
    root, weights = (runs, None) if out is None else (records_of(out), runs)
    nothing = f"nothing of {what} was compared: no evaluation, and no weights under {runs}"
    say_verdicts(_compared(root, what, data_dir, device, weights, model), nothing)


def _compared(
    root: Path, what: str, data_dir: Path | None, device: str, runs: Path | None, model: str | None
) -> "Iterator[Finding]":
    """Compare a run, a row, or a network that robench did not train."""
    from robench import archive
    from robench.imported.verifying import asked_for, verify_imported
    from robench.verification import verify

    found = archive.read(root)
    brought = asked_for(found, what)
    if model and not brought:
        there = ", ".join(sorted(found.imported)) or "none"
        raise UserError(f"--model is for networks that robench did not train; there: {there}")
    for one in brought:
        yield from verify_imported(found, one, data_dir, device, runs, model)
    if not brought:
        yield from verify(root, what, data_dir, device, runs)


def _submission(
    path: Path, runs: Path, data_dir: Path | None, again: int, device: str, model: str | None
) -> None:
    from robench.submissions.inspection import inspect
    from robench.submissions.opening import opened

    with opened(path) as submission:
        findings = inspect(submission, data_dir, device, runs, again, model)
        say_verdicts(findings, f"nothing of {path} was compared")
