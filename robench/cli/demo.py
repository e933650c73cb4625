"""`robench demo`."""

import shlex
from pathlib import Path

import click

from robench.cli.completion import plugins
from robench.cli.options import device_option, quiet_option
from robench.cli.printing import bar, say
from robench.plugins import DEFENSES

EPOCHS, BATCH, WIDTH, EMA = 30, 32, 0.25, 0.99
TARGET, TOLERANCE, IMAGES = 0.95, 0.01, 200


@click.command(name="demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder for the demo's runs and leaderboard.",
)
@click.option(
    "--defense",
    "defenses",
    multiple=True,
    default=("baseline", "fgm", "pgd", "pgn"),
    show_default=True,
    shell_complete=plugins(DEFENSES),
    help="What to train; repeatable.",
)
@device_option()
@quiet_option()
def command(out: Path, defenses: tuple[str, ...], device: str) -> None:
    """Train some defenses on 8 x 8 digits, attack them, write a leaderboard.

    Each step is printed as the command that does the same. Small and quick: the numbers show how
    robench works, not which defense is better.
    """
    from robench import leaderboard

    runs, page = out / "runs", out / "leaderboard"
    for defense in defenses:
        DEFENSES.get(defense)  # raises for what is not installed, before anything is trained
    for defense in defenses:
        _train(defense, runs, device)
    _evaluate(runs, device)
    _say(["robench", "report", "--runs", str(runs), "--out", str(page)])
    leaderboard.publish(runs, page)
    leaderboard.write(page)
    say(f"The leaderboard: {page / leaderboard.README}")


def _train(defense: str, runs: Path, device: str) -> None:
    from robench.planning import Request, plan

    words = ["robench", "train", "--defense", defense, "--dataset", "digits", "--width", f"{WIDTH}"]
    words += ["--epochs", f"{EPOCHS}", "--batch-size", f"{BATCH}", "--ema", f"{EMA}"]
    _say([*words, "--runs", str(runs)])
    planned = plan(
        Request(
            defense,
            {"model.width": WIDTH},
            dataset="digits",
            epochs=EPOCHS,
            batch_size=BATCH,
            ema=EMA,
            runs=runs,
            device=device,
        )
    )
    for row in planned.train(bar=bar()):
        if row.epoch % 10 == 0:
            say(f"  epoch {row.epoch}/{EPOCHS}  accuracy {row.accuracy:.3f}")


def _evaluate(runs: Path, device: str) -> None:
    from robench.campaign import Campaign, conduct
    from robench.cli.audit import audit_lines
    from robench.records import Audit, Evaluation

    words = ["robench", "eval", "--matched-accuracy", f"{TARGET}", "--tolerance", f"{TOLERANCE}"]
    _say([*words, "--images", f"{IMAGES}", "--runs", str(runs)])
    campaign = Campaign((TARGET,), TOLERANCE, images=IMAGES, runs=runs, device=device)
    for event, _ in conduct(campaign, bar=bar()):
        if isinstance(event, Evaluation):
            side = "white-box" if event.white_box else "black-box"
            say(f"  {event.run}  {event.attack} {side}  {event.seconds:.1f} s")
        if isinstance(event, Audit):
            say("  " + "\n  ".join(audit_lines(event, True, passed=False)))


def _say(words: list[str]) -> None:
    say(f"$ {shlex.join(words)}", bold=True)
