"""`robench eval`."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli.completion import plugins
from robench.cli.options import (
    brought_options,
    data_option,
    device_option,
    given,
    json_option,
    parse_pairs,
    precision_option,
    quiet_option,
    runs_option,
    settings_option,
)
from robench.cli.printing import bar, emit, say
from robench.cli.stores import check_runs, report_of
from robench.errors import UserError
from robench.plugins import ATTACKS, DATASETS

if TYPE_CHECKING:
    from robench.campaign import Campaign, Event
    from robench.imported.record import Imported
    from robench.records import Match


BROUGHT = ("model", "file", "entry", "name", "mean", "std", "as_is")
"""What is asked of a network that robench did not train: the fields of `Brought`."""
MATCHING = {"targets", "finals", "tolerance", "source", "source_seed"}
"""What is asked of those that it did."""


@click.command(name="eval")
@click.option(
    "--matched-accuracy",
    "targets",
    type=float,
    multiple=True,
    help="Benign accuracy to compare at, such as 0.70; repeatable.",
)
@click.option(
    "--final",
    "finals",
    is_flag=True,
    help="Attack the final checkpoints of all runs too, matched or not: white-box alone, and not "
    "audited. Robustness curves are drawn from them.",
)
@click.option("--tolerance", type=float, default=0.005, show_default=True)
@click.option(
    "--preset",
    help="Attacks and their settings: paper, standard, strong. [default: standard; of ART: paper]",
)
@click.option(
    "--attack",
    "attacks",
    multiple=True,
    shell_complete=plugins(ATTACKS),
    help="Only this attack; repeatable.",
)
@settings_option("A setting of an attack: cw.steps=50; repeatable.")
@click.option("--images", type=int, help="Test images to attack, class-balanced. [default: all]")
@click.option("--image-seed", type=int, default=0, show_default=True)
@click.option("--source", default="baseline", show_default=True, help="Black-box source's defense.")
@click.option("--source-seed", type=int, default=1000, show_default=True)
@click.option(
    "--dataset",
    shell_complete=plugins(DATASETS),
    help="Only runs on this data set; of --model: its images.",
)
@click.option(
    "--engine",
    type=click.Choice(["robench", "art"]),
    default="robench",
    show_default=True,
    help="Whose implementation of the attacks: robench's, or ART's own.",
)
@click.option(
    "--keep",
    type=int,
    help="Adversarial images to keep of each evaluation; those with fewer are made again. "
    "[default: 8 of what is new]",
)
@click.option(
    "--audit/--no-audit", default=True, show_default=True, help="Audit what was attacked."
)
@precision_option("What attacks may search in; all is verified in float32.")
@brought_options()
@data_option()
@runs_option()
@device_option()
@quiet_option()
@json_option("One JSON object a line: matches, evaluations with their numbers, audits.")
def command(pairs: tuple[str, ...], *, as_json: bool, **options: Any) -> None:
    """Match all trained defenses at a benign accuracy and attack them.

    --matched-accuracy, --final, or both. What matches is attacked white-box, and black-box from an
    independently trained network; then it is audited (see `robench audit`). What is there already
    is skipped. Exits with 1 where nothing matches.

    With --model (and --model-file): attacks a network that robench did not train, white-box, at its
    own benign accuracy.
    """
    from robench.campaign import Campaign, conduct

    brought = {name: options.pop(name) for name in BROUGHT}
    campaign = Campaign(settings=parse_pairs(pairs), **options)
    if not any(brought.values()):
        check_runs(campaign.runs)
    events = _brought(brought, campaign) if any(brought.values()) else conduct(campaign, bar=bar())
    for event, new in events:
        if as_json:
            emit(_object(event, new, campaign.runs), lines=True)
        else:
            say(told(event, new, campaign.runs))
    if not as_json:
        say(f"records are under {campaign.runs}; write the page with: {report_of()}")


def _brought(
    asked: dict[str, Any], campaign: "Campaign"
) -> "Iterator[tuple[Event | Imported, bool]]":
    """Evaluate a network that robench did not train."""
    from robench.imported.bringing import Brought
    from robench.imported.examining import examine

    if not asked["model"]:
        raise UserError(
            "a file of weights does not say of which network; say --model FILE.py:FUNCTION, "
            "module:function, or one of: robench ls models zoos"
        )
    if unasked := sorted(given().keys() & MATCHING):
        options = " and ".join(given()[name] for name in unasked)
        raise UserError(f"{options} is for networks that robench trained; leave it out of --model")
    return examine(Brought(**asked), campaign, bar=bar())


def told(event: "Event | Imported", new: bool, runs: Path) -> str:
    """Return what is printed of one step of an evaluation."""
    from robench.cli.audit import audit_lines
    from robench.imported.record import Imported
    from robench.records import Audit, Epoch, Match, signed

    if isinstance(event, Imported):
        state = f"accuracy {event.accuracy:.4f} when tried" if new else "there already"
        return "\n".join([f"{event.key}  {state}", *(f"  note: {one}" for one in event.notes)])
    if isinstance(event, Match):
        return f"{event.target:.4g}  {event.variant} seed {event.seed}: {_matched(event, runs)}"
    if isinstance(event, Epoch):
        return f"source  epoch {event.epoch}  accuracy {event.accuracy:.4f}  {event.seconds:.1f} s"
    if isinstance(event, Audit):
        return "\n".join(audit_lines(event, new, passed=False))
    side = "white-box" if event.white_box else "black-box"
    state = f"{event.seconds:.1f} s" if new else "there already"
    attack = signed(event.attack, event.engine)
    return f"{event.run}  step {event.step}  {attack} {side}  {event.count} images  {state}"


def _object(event: "Event | Imported", new: bool, runs: Path) -> dict[str, Any]:
    """Return what is printed of one step as JSON: its record, and of an evaluation its numbers."""
    from robench.archive import EVALUATIONS, read_result
    from robench.records import Evaluation

    said = {"event": type(event).__name__.lower(), "new": new, **asdict(event)}
    if isinstance(event, Evaluation):
        numbers = read_result(runs / EVALUATIONS / f"{event.key}.json").numbers
        said |= {name: asdict(interval) for name, interval in numbers.items()}
    return said


def _matched(match: "Match", runs: Path) -> str:
    from robench.runs import read_run
    from robench.tables import strength

    setting = strength(read_run(runs / match.run))
    of = f" ({setting})" if setting else ""
    if match.how == "unmatched":
        return f"not matched: nearest {match.accuracy:.3f}{of}, {match.advice}"
    return f"{match.accuracy:.4f}{of}, {match.how} checkpoint, step {match.step} of {match.run}"
