"""`robench leaderboard`."""

from pathlib import Path

import click

from robench.cli.options import again_option, data_option, device_option, runs_option
from robench.cli.printing import say
from robench.cli.verdicts import say_verdicts


@click.group(name="leaderboard")
def command() -> None:
    """Keep a leaderboard that others submit rows to."""


@command.command()
@click.argument(
    "paths",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option(
    "--to",
    "out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("leaderboard"),
    show_default=True,
    help="Leaderboard folder to merge into.",
)
@click.option("--with-weights", is_flag=True, help="Merge the networks, too, where enclosed.")
@click.option("--model", help="Of networks that robench did not train: what builds them.")
@runs_option()
@data_option()
@again_option()
@device_option()
def add(
    paths: tuple[Path, ...],
    out: Path,
    with_weights: bool,
    model: str | None,
    runs: Path,
    data_dir: Path | None,
    again: int,
    device: str,
) -> None:
    """Merge submissions into a leaderboard's records, each checked as robench verify does.

    What is there already with other content is never replaced. Then: robench report.
    """
    from robench.submissions.inspection import inspect
    from robench.submissions.merging import add as merge
    from robench.submissions.opening import opened

    for path in paths:
        with opened(path) as submission:
            findings = inspect(submission, data_dir, device, runs, again, model)
            say_verdicts(findings, f"nothing of {path} was compared", brief=True)
            written = merge(submission, out, weights=with_weights)
            rows = ", ".join(submission.manifest.rows)
            done = (
                f"{len(written)} files added to {out}" if written else "all of it is there already"
            )
            say(f"{path}: {rows}: {done}")


@command.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, .github/workflows/submissions.yml say. [default: print it]",
)
def workflow(out: Path | None) -> None:
    """Write a GitHub workflow that checks submissions on pull requests.

    It runs on the files that a pull request adds under submissions/, with no secret and no
    permission but to read.
    """
    from robench.submissions.workflow import text, write

    if out is None:
        click.echo(text(), nl=False)
    else:
        write(out)
        say(f"{out}")
