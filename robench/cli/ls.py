"""`robench ls`."""

from typing import Any

import click

from robench.cli.printing import say
from robench.plugins import REGISTRIES, Registry
from robench.settings import declared


@click.command(name="ls")
@click.argument("kinds", nargs=-1, type=click.Choice([f"{r.kind}s" for r in REGISTRIES]))
def command(kinds: tuple[str, ...]) -> None:
    """List plugins with their settings and defaults: all, or some KINDS of them."""
    for registry in REGISTRIES:
        if not kinds or f"{registry.kind}s" in kinds:
            _show(registry)


def _show(registry: Registry[Any]) -> None:
    say(f"{registry.kind}s", bold=True)
    for plugin in registry.available():
        summary = str(plugin.cls.__doc__ or "").strip().splitlines()
        say(f"  {plugin.name:<17}{summary[0] if summary else ''}")
        for field in declared(plugin.cls):
            default = str(field.default).lower() if field.kind is bool else field.default
            choices = f"  ({field.accepts})" if field.choices else ""
            say(f"  {'':<17}{field.name}={default}{choices}")
    say()
