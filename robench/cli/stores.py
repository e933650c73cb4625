"""`--runs` as a folder or the URL of a store."""

import shlex
from pathlib import Path
from typing import Any

import click

from robench.errors import UserError

RUNS = Path("runs")
NONE = "none"
"""The `--runs` of commands that read a leaderboard's records alone."""
TYPED = "robench.runs"
"""Where a call remembers its `--runs` as it was given: a store's mirror has another name."""
UNREAD = ("train", "match", "doctor")
"""The commands that read no run but those they train, which are brought up to date when claimed."""


class RunsFolder(click.Path):
    """A folder; of the URL of a store, that which mirrors it, with its records up to date."""

    def __init__(self) -> None:
        """Take paths as `pathlib.Path`; a file is refused."""
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path of a folder; UserError for a store that cannot be had."""
        if ctx is not None and isinstance(value, str):
            ctx.meta[TYPED] = value
        if not isinstance(value, str) or "://" not in value:
            return super().convert(value, param, ctx)
        if ctx is not None and ctx.resilient_parsing:
            return Path()
        from robench import mirrors
        from robench.store.opening import placed

        root = placed(value)
        if ctx is None or ctx.info_name not in UNREAD:
            mirrors.refresh(root)
        return super().convert(str(root), param, ctx)


def check_runs(runs: Path, *, none: bool = False) -> None:
    """Raise UserError where a `--runs` that was given does not exist; for what only reads it.

    `none`: a folder called none may be named, and stands for no runs, records alone.
    """
    if typed_runs() and not (
        runs.is_dir() or "://" in typed_runs() or (none and runs.name == NONE)
    ):
        alone = f"; for the leaderboard's records alone say --runs {NONE}" if none else ""
        raise UserError(f"there is no folder {runs}; mend --runs{alone}")


def typed_runs() -> str:
    """Return `--runs` of this call as it was given; empty where it was not, or is the default."""
    typed: str = click.get_current_context().meta.get(TYPED, "")
    return "" if Path(typed) == RUNS else typed


def report_of(**options: object) -> str:
    """Return the `robench report` that reads the runs of this call, with further options."""
    given = {"runs": typed_runs(), **options}
    words = [word for name, value in given.items() if value for word in (f"--{name}", str(value))]
    return shlex.join(["robench", "report", *words])
