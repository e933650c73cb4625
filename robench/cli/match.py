"""`robench match`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli.options import (
    defense_option,
    parse_pairs,
    quiet_option,
    settings_option,
    training_options,
    with_width,
)
from robench.cli.printing import bar, say
from robench.cli.train import passed
from robench.errors import RunFailed

if TYPE_CHECKING:
    from robench.search import Outcome, Trial


@click.command(name="match")
@defense_option()
@click.option("--target", type=float, required=True, help="Benign accuracy to meet, such as 0.70.")
@click.option("--tolerance", type=float, default=0.005, show_default=True)
@click.option("--cap", type=int, default=8, show_default=True, help="Trainings at most.")
@settings_option("A setting that stays as it is: KEY=VALUE, model.KEY=VALUE, dataset.KEY=VALUE.")
@training_options()
@quiet_option()
def command(
    pairs: tuple[str, ...],
    width: float | None,
    target: float,
    tolerance: float,
    cap: int,
    **options: Any,
) -> None:
    """Search for the strength at which a defense meets a benign accuracy.

    Trains as few models as it can until the final checkpoint of one is within the tolerance; runs
    that are there already are used first. Exits with 1 where the target is not reached.
    """
    from robench.planning import Request
    from robench.search import Begun, Outcome, Trial, search

    request = Request(settings=with_width(parse_pairs(pairs), width), **options)
    epochs = request.epochs
    for event in search(request, target, tolerance, cap, bar=bar()):
        if isinstance(event, Begun):
            say(f"{event.setting}  {request.runs / event.run}")
        elif isinstance(event, Trial):
            say(_line(event))
        elif isinstance(event, Outcome):
            _end(event, request.runs)
        else:
            say(f"  {passed(event, epochs)}")


def _line(trial: "Trial") -> str:
    if trial.state in ("known", "trained"):
        return f"{trial.setting}  accuracy {trial.point.accuracy:.4f}  {trial.state}  {trial.run}"
    side = "strong" if trial.point.accuracy < 0 else "weak"
    return f"{trial.setting}  {trial.state}, counted as too {side}: {trial.reason}"


def _end(outcome: "Outcome", runs: Path) -> None:
    if outcome.matched is None:
        raise RunFailed(f"{outcome.reason}; models trained: {outcome.trained}")
    found = outcome.matched
    say(
        f"matched: {found.setting}, accuracy {found.point.accuracy:.4f}, {runs / found.run}; "
        f"models trained: {outcome.trained}"
    )
