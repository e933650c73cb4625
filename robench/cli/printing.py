"""What commands print: text of plugins and records shown, never obeyed by the terminal."""

import json
import math
import sys
from collections.abc import Mapping, Sequence

import click

QUIET = "robench.quiet"
"""Under which a command remembers that `--quiet` was said."""


def say(text: str = "", *, err: bool = False, bold: bool = False) -> None:
    """Print lines on standard output, or standard error. Under `--quiet` the latter alone."""
    from robench.mirrors import shown
    from robench.visible import visible

    if err or not quiet():
        click.secho(visible(shown(text)), err=err, bold=bold or None)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def quiet() -> bool:
    """Tell whether `--quiet` was said to the command that runs."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def bar() -> bool:
    """Tell whether to draw bars: where a person looks on and did not ask for quiet."""
    return sys.stderr.isatty() and not quiet()


def emit(value: object, *, lines: bool = False) -> None:
    """Print a value as JSON, also under `--quiet`; `lines`: in one line, for one value of many.

    Numbers that are not finite, which JSON lacks, become null.
    """
    text = json.dumps(_finite(value), indent=None if lines else 1, allow_nan=False)
    click.echo(text)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
