"""`robench ls`."""

from collections.abc import Iterator
from typing import Any

import click

from robench.cli.options import json_option
from robench.cli.printing import emit, say
from robench.plugins import REGISTRIES, Registry
from robench.settings import declared


@click.command(name="ls")
@click.argument("kinds", nargs=-1, type=click.Choice([f"{r.kind}s" for r in REGISTRIES]))
@json_option("As JSON, a list with an entry a plugin.")
def command(kinds: tuple[str, ...], *, as_json: bool) -> None:
    """List plugins with their settings and defaults: all, or some KINDS of them."""
    wanted = [one for one in REGISTRIES if not kinds or f"{one.kind}s" in kinds]
    if as_json:
        emit([entry for registry in wanted for entry in _entries(registry)])
        return
    for registry in wanted:
        _show(registry)


def _entries(registry: Registry[Any]) -> Iterator[dict[str, Any]]:
    for plugin in registry.available():
        settings = [
            {"name": one.name, "default": one.default, "choices": one.choices or None}
            for one in declared(plugin.cls)
        ]
        yield {
            "kind": registry.kind,
            "name": plugin.name,
            "summary": _summary(plugin.cls),
            "settings": settings,
        }


def _summary(plugin: type) -> str:
    """Return the first line of a class's docstring."""
    return str(plugin.__doc__ or "").strip().partition("\n")[0]


def _show(registry: Registry[Any]) -> None:
    say(f"{registry.kind}s", bold=True)
    for plugin in registry.available():
        say(f"  {plugin.name:<17}{_summary(plugin.cls)}")
        for field in declared(plugin.cls):
            default = str(field.default).lower() if field.kind is bool else field.default
            choices = f"  ({field.accepts})" if field.choices else ""
            say(f"  {'':<17}{field.name}={default}{choices}")
    say()
