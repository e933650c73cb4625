"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from robench.errors import UserError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def runs_option() -> Decorator:
    """Add `--runs`."""
    return click.option(
        "--runs",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("runs"),
        show_default=True,
        help="Folder of trained runs and their evaluations.",
    )


def data_option() -> Decorator:
    """Add `--data-dir`."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where the data set lies. [default: RUNS/.cache, downloaded if missing]",
    )


def device_option() -> Decorator:
    """Add `--device`."""
    return click.option(
        "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ..."
    )


def settings_option(text: str) -> Decorator:
    """Add `--set KEY=VALUE`, repeatable."""
    return click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help=text)


def parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """Split KEY=VALUE words; the last of one key wins."""
    parsed = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(f"--set {pair}: not of the form KEY=VALUE")
        parsed[key] = value
    return parsed
