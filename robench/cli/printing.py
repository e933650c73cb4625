"""What commands print: text of plugins and records shown, never obeyed by the terminal."""

import click


def say(text: str = "", *, err: bool = False, bold: bool = False) -> None:
    """Print lines on standard output, or standard error."""
    from robench.visible import visible

    click.secho(visible(text), err=err, bold=bold or None)
