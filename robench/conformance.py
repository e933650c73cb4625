"""Records rebuilt from JSON, each value of the type that its place declares."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from robench.errors import UserError

Record = TypeVar("Record")
Rule = Callable[[Any], bool]
"""Tells whether a value is of the type that it was made for."""

LARGEST = 2**63
"""Whole numbers are below it, as torch and numpy take them."""


def from_json(kind: type[Record], row: Mapping[str, Any]) -> Record:
    """Rebuild a record from its JSON object; a missing or unknown field is the user's to know.

    A field that has a default may be missing: older records lack what was added since.
    """
    if not isinstance(row, Mapping):
        raise UserError(f"not a {kind.__name__} record: a {type(row).__name__}")
    declared = fields(kind)  # type: ignore[arg-type]
    required = {
        field.name
        for field in declared
        if field.default is MISSING and field.default_factory is MISSING
    }
    if wrong := (set(row) - {field.name for field in declared}) | (required - set(row)):
        raise UserError(f"not a {kind.__name__} record: {', '.join(sorted(wrong))}")
    rules = _rules(kind)  # type: ignore[arg-type]
    if odd := [name for name, value in row.items() if not rules[name](value)]:
        raise UserError(f"not a {kind.__name__} record: {', '.join(odd)} of another type")
    return kind(**row)


@cache
def _rules(kind: Hashable) -> dict[str, Rule]:
    return {name: _rule(hint) for name, hint in get_type_hints(kind).items()}


def conforms(value: object, hint: Any) -> bool:
    """Tell whether `value` is of the type that an annotation names.

    Understood are bool, int, float, str, None, dataclasses, and Literal, unions, tuples, mappings
    and sequences of them. A whole number may stand for a float; a truth value is no number.
    """
    return _rule(hint)(value)


def _rule(hint: Any) -> Rule:
    """Return what tells whether a value is of a type: annotations are taken apart once."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: True
    if origin is Literal:
        return lambda value: any(type(value) is type(one) and value == one for one in inner)
    if origin in (Union, UnionType):
        return _any_of([_rule(one) for one in inner])
    if origin is tuple:
        return _entries(inner)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_rule(inner[0]), _rule(inner[1]))
    if origin is not None and issubclass(origin, Sequence):
        return _sequence(list | tuple, _rule(inner[0]))
    return _plain(hint)


def _any_of(rules: Sequence[Rule]) -> Rule:
    return lambda value: any(rule(value) for rule in rules)


def _sequence(kind: Any, rule: Rule) -> Rule:
    return lambda value: isinstance(value, kind) and all(map(rule, value))


def _mapping(key: Rule, value: Rule) -> Rule:
    return lambda found: (
        isinstance(found, Mapping) and all(map(key, found)) and all(map(value, found.values()))
    )


def _entries(inner: tuple[Any, ...]) -> Rule:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return _sequence(tuple, _rule(inner[0]))
    rules = [_rule(one) for one in inner]
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(rules)
        and all(rule(one) for rule, one in zip(rules, value, strict=True))
    )


def _plain(kind: Any) -> Rule:
    if kind is int:
        return _whole
    if kind is float:
        return lambda value: isinstance(value, float) or _whole(value)
    if kind in (bool, str, NoneType) or is_dataclass(kind):
        return lambda value: isinstance(value, kind)
    raise TypeError(f"no rule for {kind}")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
