"""A plugin's dataclass fields as typed settings: read from text, written to records."""

import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from robench.conformance import LARGEST
from robench.errors import UserError
from robench.records import Setting
from robench.spelling import suggestion

T = TypeVar("T")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


class UnknownSetting(UserError):
    """A plugin has no such setting; something else may be called so."""

    def __init__(self, plugin: str, key: str, value: Setting, known: Collection[str]) -> None:
        """Name the nearest of the settings `known`, and all of them."""
        self.start, self.key, self.value = f"{plugin} has no setting {key!r}", key, text(value)
        self.settings = f"Its settings: {', '.join(known) or 'none'}"
        super().__init__(f"{self.start}{suggestion(key, known)} {self.settings}")


@dataclass(frozen=True)
class Field:
    """One setting that a plugin declares."""

    name: str
    kind: type
    default: Setting
    choices: tuple[str, ...] = ()

    @property
    def accepts(self) -> str:
        """Say what may be given."""
        return " or ".join(self.choices) if self.choices else _WORDS[self.kind]

    def read(self, value: Setting) -> Setting:
        """Return `value`, text or already typed, as this setting's type, or raise ValueError."""
        if self.choices and value not in self.choices:
            raise ValueError
        if self.kind is bool:
            return _truth(value)
        if isinstance(value, bool):
            raise ValueError
        if self.kind is int and isinstance(value, float):
            raise ValueError
        typed: Setting = self.kind(value)
        if isinstance(typed, float) and not math.isfinite(typed):
            raise ValueError
        if isinstance(typed, int) and abs(typed) >= LARGEST:
            raise OverflowError
        return typed


def declared(plugin: type) -> list[Field]:
    """Return the settings of a plugin class."""
    try:
        hints = get_type_hints(plugin)
    except Exception as error:  # an annotation imported for type checkers alone, or no type at all
        raise UserError(f"{plugin.__name__}: {error}, but settings need their types") from None
    return [
        _field(plugin, field.name, hints[field.name], field.default)
        for field in fields(plugin)
        if field.init
    ]


def configure(plugin: type[T], given: Mapping[str, Setting], name: str) -> T:
    """Build the plugin with the settings `given`; name the setting that does not fit."""
    known = {field.name: field for field in declared(plugin)}
    # Where `sigma: float = 1` is the default, `--set sigma=1` must record the same value.
    values: dict[str, Any] = {
        field.name: float(field.default)
        for field in known.values()
        if field.kind is float and isinstance(field.default, int)
    }
    for key, value in given.items():
        if key not in known:
            raise UnknownSetting(name, str(key), value, known)
        try:
            values[key] = known[key].read(value)
        except (TypeError, ValueError, OverflowError):
            raise UserError(
                f"{name}: {key}={value} is not {known[key].accepts} "
                f"(default {text(known[key].default)})"
            ) from None
    try:
        return plugin(**values)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def values_of(plugin: Any) -> dict[str, Setting]:
    """Return all settings of a plugin object."""
    return asdict(plugin)


def differing(plugin: Any, but: str | None = None) -> str:
    """List the settings that differ from their defaults, leaving out `but`."""
    values = values_of(plugin)
    return ", ".join(
        f"{field.name}={text(values[field.name])}"
        for field in declared(type(plugin))
        if field.name != but and values[field.name] != field.default
    )


def text(value: Setting) -> str:
    """Return a value as it is typed after `--set KEY=`."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _field(plugin: type, name: str, hint: Any, default: Any) -> Field:
    if default is MISSING:
        raise UserError(f"{plugin.__name__}.{name} has no default; every setting needs one")
    if get_origin(hint) is Literal and all(isinstance(word, str) for word in get_args(hint)):
        return Field(name, str, default, get_args(hint))
    if not isinstance(hint, type) or hint not in _WORDS:
        raise UserError(
            f"{plugin.__name__}.{name} is a {hint}; a setting is bool, int, float, str or Literal"
        )
    return Field(name, hint, default)


def _truth(value: Setting) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]
