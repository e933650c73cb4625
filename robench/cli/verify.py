"""`robench verify`."""

from pathlib import Path

import click

from robench.cli.options import data_option, device_option, runs_option
from robench.cli.printing import say
from robench.errors import RunFailed


@click.command(name="verify")
@click.argument("run")
@runs_option()
@data_option()
@device_option()
def command(run: str, runs: Path, data_dir: Path | None, device: str) -> None:
    """Recompute what the records of RUN say from its weights, and compare.

    Hashes of weights and images, predictions on all attacked images, and the adversarial images
    that were kept. Exits with 1 where something does not match.
    """
    from robench.verification import mismatches, verify

    findings = []
    for one in verify(runs, run, data_dir, device):
        verdict = "match" if one.matches else f"MISMATCH in {one.differing}"
        say(f"{one.subject}: {one.compared}, {one.count} compared: {verdict}")
        findings.append(one)
    if wrong := mismatches(findings):
        reasons = [f": {one.reason}" for one in findings if one.reason]
        raise RunFailed(
            f"{wrong} of {len(findings)} comparisons do not match their records"
            + "".join(reasons[:1])
        )
    say(f"all {len(findings)} comparisons match")
