"""`robench run`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli import eval as evaluation
from robench.cli import sweep
from robench.cli.crew import crew_of, crew_options
from robench.cli.live import below
from robench.cli.options import (
    data_option,
    device_option,
    out_option,
    quiet_option,
    runs_option,
)
from robench.cli.printing import bar, say
from robench.errors import RunFailed

if TYPE_CHECKING:
    from robench.studies.events import Evaluating, Event


@click.command(name="run")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@runs_option()
@out_option(text="Folder of the page, its figures and the records they are made from.")
@data_option()
@device_option()
@crew_options()
@quiet_option()
def command(
    file: Path, runs: Path, out: Path, data_dir: Path | None, device: str, **options: Any
) -> None:
    """Train, evaluate and report what a run FILE asks for (docs/studies.md).

    What is there already is skipped: interrupted, the same command goes on. Several may share the
    trainings, a process each. Where a run failed or nothing matches at a target, the page is
    written from what there is, and the exit code is 1.
    """
    from robench import leaderboard
    from robench.studies import run_file
    from robench.studies.conducting import conduct
    from robench.studies.events import Missed
    from robench.sweeping import Ended

    crew = crew_of(options, device)
    asked = run_file.read(file, runs, data_dir, device)
    ended, missed = [], []
    with below(runs, crew) as live:
        for event in conduct(asked, bar=bar(), crew=crew):
            live.see(event)
            if isinstance(event, Ended) and event.state != "busy":
                ended.append(sweep.kept(event))
            missed += [event.reason] if isinstance(event, Missed) else []
            if line := _line(event, runs, ended, apart=crew.kind != "local"):
                live.say(line)
    leaderboard.publish(runs, out)
    leaderboard.write(out)
    say(f"{out / leaderboard.README}")
    _end(sweep.without_run(ended), missed)


def _end(failed: str, missed: Sequence[str]) -> None:
    """Exit with 1 where something was not come to."""
    for reason in missed:
        say(f"missed: {reason}", err=True)
    counts = [failed, f"missed in the evaluations: {len(missed)}" if missed else ""]
    if said := "; ".join(filter(None, counts)):
        raise RunFailed(f"{said}; the lines above say why, the page shows what there is")


def _line(event: "Event", runs: Path, ended: Sequence[sweep.End], *, apart: bool) -> str:
    from robench.studies.events import Auditing, Evaluated, Evaluating, Missed, Waiting
    from robench.study_record import Study

    if isinstance(event, Study):
        return f"\n{sweep.table(ended)}"
    if isinstance(event, Evaluating):
        return f"\nevaluation {event.number}/{event.count}  {_asked(event)}"
    if isinstance(event, Auditing):
        return f"\naudits of what matched: {event.count}"
    if isinstance(event, Evaluated):
        return evaluation.told(event.step, event.new, runs)
    if isinstance(event, Waiting):
        return f"waiting: {event.reason}"
    if isinstance(event, Missed):
        return f"missed: {event.reason}"
    return sweep.told(event, runs, apart=apart)


def _asked(event: "Evaluating") -> str:
    """Return an evaluation in words."""
    from robench.campaign import attacks_of

    asked = event.asked
    at = [f"matched at {', '.join(f'{one:g}' for one in asked.targets)}"] if asked.targets else []
    at += ["final checkpoints"] if asked.finals else []
    how = ", ".join(dict.fromkeys(named.label for named in attacks_of(asked)))
    return f"{' and '.join(at)}: {how}"
