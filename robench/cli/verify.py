"""`robench verify`."""

from pathlib import Path

import click

from robench.cli.options import data_option, device_option, out_option, records_of, runs_option
from robench.cli.printing import say
from robench.errors import RunFailed


@click.command(name="verify")
@click.argument("what", metavar="ROW_OR_RUN")
@out_option(None, "Leaderboard whose records to check; weights are taken from --runs, if there.")
@runs_option()
@data_option()
@device_option()
def command(what: str, out: Path | None, runs: Path, data_dir: Path | None, device: str) -> None:
    """Recompute what the records of a run say, or those of a row such as "pgn 0.605".

    Hashes of weights and images, predictions on all attacked images, and the adversarial images
    that were kept. Exits with 1 where something does not match. With --out, what needs weights or
    images that are not there is left, and the last line says so.
    """
    from robench.verification import mismatches, verify

    root, weights = (runs, None) if out is None else (records_of(out), runs)
    findings, left = [], []
    for one in verify(root, what, data_dir, device, weights):
        if one.left:
            left.append(one)
            continue
        verdict = "match" if one.matches else f"MISMATCH in {one.differing}"
        say(f"{one.subject}: {one.compared}, {one.count} compared: {verdict}")
        findings.append(one)
    if wrong := mismatches(findings):
        damage = [f": {one.reason}" for one in findings if one.reason]
        raise RunFailed(
            f"{wrong} of {len(findings)} comparisons do not match their records"
            + "".join(damage[:1])
        )
    if not findings:
        raise RunFailed(
            f"nothing of {what} was compared: no evaluation, and no weights under {runs}"
        )
    reasons = dict.fromkeys(f"{one.compared} ({one.subject}: {one.left})" for one in left)
    rest = f"; not compared: {'; '.join(reasons)}" if reasons else ""
    say(f"all {len(findings)} comparisons match{rest}")
