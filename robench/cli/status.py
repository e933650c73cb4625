"""`robench status`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robench.cli.options import json_option, runs_option
from robench.cli.printing import columns, emit, say

if TYPE_CHECKING:
    from robench.standing import Standing, State

HEADER = ("run", "cell", "state", "epoch", "left", "device", "by")
STATES: "tuple[State, ...]" = ("running", "waiting", "stopped", "abandoned", "done")
FEW = 20
"""Runs not begun that are listed without `--all`."""


@click.command(name="status")
@runs_option()
@click.option("--all", "whole", is_flag=True, help="The finished runs, too, and all that wait.")
@json_option("As JSON, a list with an entry a run.")
def command(runs: Path, *, whole: bool, as_json: bool) -> None:
    """Say how far the runs under --runs are: state, epoch, time left, device, who works on it.

    Read from the folder alone, by whatever shell on whatever host sees it. A run that was not begun
    is `waiting` while a command is going to train it, and `abandoned` where that command has ended.
    """
    from robench.standing import standings

    found = standings(runs)
    if as_json:
        emit([asdict(one) for one in found])
        return
    waiting = [one for one in found if one.state in ("waiting", "abandoned")]
    begun = [one for one in found if one.state in ("running", "stopped")]
    if shown := found if whole else [*begun, *waiting[:FEW]]:
        say(table(shown))
        if len(waiting) > FEW and not whole:
            say(f"and {len(waiting) - FEW} more that were not begun (--all)")
        say()
    counts = Counter(one.state for one in found)
    said = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    say(", ".join(said) or f"no runs under {runs}")
    if counts["abandoned"]:
        say("abandoned: the command that was to train them has ended; given again, it goes on")


def table(shown: "Sequence[Standing]") -> str:
    """Return a line a run; of what has stopped, what its log ends with."""
    rows = [
        [
            one.run,
            one.words,
            one.state,
            f"{one.epoch}/{one.epochs or '?'}",
            "" if one.left is None else duration(one.left),
            one.device.partition(",")[0],
            one.holder or one.note,
        ]
        for one in shown
    ]
    return columns([HEADER, *rows])


def duration(seconds: float) -> str:
    """Return a time as 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
