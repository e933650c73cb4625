"""`robench eval`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli.options import (
    data_option,
    device_option,
    parse_pairs,
    precision_option,
    runs_option,
    settings_option,
)
from robench.cli.printing import say

if TYPE_CHECKING:
    from robench.campaign import Event
    from robench.records import Match


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
@click.option("--attack", "attacks", multiple=True, help="Only this attack; repeatable.")
@settings_option("A setting of an attack: cw.steps=50; repeatable.")
@click.option("--images", type=int, help="Test images to attack, class-balanced. [default: all]")
@click.option("--image-seed", type=int, default=0, show_default=True)
@click.option("--source", default="baseline", show_default=True, help="Black-box source's defense.")
@click.option("--source-seed", type=int, default=1000, show_default=True)
@click.option("--dataset", help="Only runs on this data set.")
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
@data_option()
@runs_option()
@device_option()
def command(pairs: tuple[str, ...], **options: Any) -> None:
    """Match all trained defenses at a benign accuracy and attack them.

    --matched-accuracy, --final, or both. What matches is attacked white-box, and black-box from an
    independently trained network; then it is audited (see `robench audit`). What is there already
    is skipped. Exits with 1 where nothing matches.
    """
    from robench.campaign import Campaign, conduct

    campaign = Campaign(settings=parse_pairs(pairs), **options)
    for event, new in conduct(campaign, bar=sys.stderr.isatty()):
        say(told(event, new, campaign.runs))
    say(f"records are under {campaign.runs}; write the page with: robench report")


def told(event: "Event", new: bool, runs: Path) -> str:
    """Return what is printed of one step of an evaluation."""
    from robench.cli.audit import audit_lines
    from robench.records import Audit, Epoch, Match, signed

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


def _matched(match: "Match", runs: Path) -> str:
    from robench.runs import read_run
    from robench.tables import strength

    setting = strength(read_run(runs / match.run))
    of = f" ({setting})" if setting else ""
    if match.how == "unmatched":
        return f"not matched: nearest {match.accuracy:.3f}{of}, {match.advice}"
    return f"{match.accuracy:.4f}{of}, {match.how} checkpoint, step {match.step} of {match.run}"
