"""`robench doctor`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robench.cli import variables
from robench.cli.options import data_option, runs_option
from robench.cli.printing import say

if TYPE_CHECKING:
    from robench.diagnosis import Finding

HEAVY = ("torch", "torchvision", "art", "sklearn", "seaborn")


@click.command(name="doctor")
@data_option()
@runs_option()
@click.pass_context
def command(ctx: click.Context, data_dir: Path | None, runs: Path) -> None:
    """Say what is installed, what is wrong and how to mend it; exit with 1 if something is."""
    problems = 0
    for finding in _findings(data_dir, runs):
        mend = f"; mend it: {finding.mend}" if finding.mend else ""
        text = " ".join(finding.text.split())
        say(f"{finding.subject:<32}{'WRONG: ' if mend else ''}{text}{mend}")
        problems += bool(mend)
    say(f"{problems} wrong" if problems else "nothing is wrong")
    ctx.exit(1 if problems else 0)


def _findings(data_dir: Path | None, runs: Path) -> "Iterator[Finding]":
    from robench import diagnosis

    yield from diagnosis.packages()
    broken = list(diagnosis.imports(HEAVY))
    yield from broken
    yield diagnosis.storage(runs)
    strange = variables.strange(click.get_current_context().find_root(), os.environ)
    yield from diagnosis.variables(os.environ, strange)
    if any(finding.subject == "torch" for finding in broken):
        return  # nothing else can be looked at
    from robench.planning import CACHE

    yield from diagnosis.device()
    yield from diagnosis.plugins()
    yield from diagnosis.datasets(data_dir, runs / CACHE)
