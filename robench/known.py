"""What planning many requests finds out once: plugins, and what networks can be built.

Looking a plugin up reads what every installed package says of itself, and building a network only
to see that it can be built takes longer still: neither is done again for each cell of a grid.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from robench.plugins import Plugin, Registry

T = TypeVar("T")


@dataclass(frozen=True)
class Known:
    """What is known so far. A plugin's file that changes meanwhile stays what it was at first."""

    _plugins: dict[tuple[str, str], Plugin[Any]] = field(default_factory=dict)
    _well: set[str] = field(default_factory=set)

    def plugin(self, registry: Registry[T], name: str) -> Plugin[T]:
        """Return what `registry.get` returns; UserError as there."""
        key = (registry.kind, name)
        if key not in self._plugins:
            self._plugins[key] = registry.get(name)
        return self._plugins[key]

    def check(self, what: object, trial: Callable[[], object]) -> None:
        """Call `trial`, which raises where something is wrong, unless it went well for `what`.

        `what`: plain values that decide the outcome; equal ones are written alike.
        """
        if (said := repr(what)) not in self._well:
            trial()
            self._well.add(said)
