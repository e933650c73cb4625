"""`robench demo`."""

import sys
from pathlib import Path

import click

from robench.cli.options import device_option

EPOCHS, BATCH, WIDTH, EMA = 40, 32, 0.25, 0.99
TARGET, TOLERANCE = 0.95, 0.01


@click.command(name="demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder for the demo's runs and leaderboard.",
)
@device_option()
def command(out: Path, device: str) -> None:
    """Train every installed defense on 8 x 8 digits, attack them, write a leaderboard.

    Each step is printed as the command that does the same. Small and quick: the numbers show how
    robench works, not which defense is better.
    """
    from robench import leaderboard
    from robench.campaign import Campaign, conduct
    from robench.planning import Request, plan
    from robench.plugins import DEFENSES
    from robench.records import Evaluation
    from robench.training import train

    bar, runs = sys.stderr.isatty(), out / "runs"
    for name in (plugin.name for plugin in DEFENSES.available()):
        click.secho(
            f"$ robench train --defense {name} --dataset digits --width {WIDTH} --epochs {EPOCHS} "
            f"--batch-size {BATCH} --ema {EMA} --runs {runs}",
            bold=True,
        )
        request = Request(
            name,
            {"model.width": WIDTH},
            dataset="digits",
            epochs=EPOCHS,
            batch_size=BATCH,
            ema=EMA,
            runs=runs,
            device=device,
        )
        planned = plan(request)
        for row in train(
            planned.spec, planned.defense, planned.build, planned.data, planned.root, bar=bar
        ):
            if row.epoch % 10 == 0:
                click.echo(f"  epoch {row.epoch}/{EPOCHS}  accuracy {row.accuracy:.3f}")
    click.secho(
        f"$ robench eval --matched-accuracy {TARGET} --tolerance {TOLERANCE} --runs {runs}",
        bold=True,
    )
    campaign = Campaign((TARGET,), TOLERANCE, runs=runs, device=device)
    for event, _ in conduct(campaign, bar=bar):
        if isinstance(event, Evaluation):
            click.echo(f"  {event.run}  {event.attack}  {event.seconds:.1f} s")
    click.secho(f"$ robench report --runs {runs} --out {out / 'leaderboard'}", bold=True)
    leaderboard.publish(runs, out / "leaderboard")
    leaderboard.write(out / "leaderboard")
    click.echo(f"The leaderboard: {out / 'leaderboard' / leaderboard.README}")
