"""Records rebuilt from JSON, each value of the type that its place declares."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from robench.errors import UserError

Record = TypeVar("Record")

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
    hints = _hints(kind)  # type: ignore[arg-type]
    if odd := [name for name, value in row.items() if not conforms(value, hints[name])]:
        raise UserError(f"not a {kind.__name__} record: {', '.join(odd)} of another type")
    return kind(**row)


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def conforms(value: object, hint: Any) -> bool:
    """Tell whether `value` is of the type that an annotation names.

    Understood are bool, int, float, str, None, dataclasses, and Literal, unions, tuples, mappings
    and sequences of them. A whole number may stand for a float; a truth value is no number.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin in (Union, UnionType):
        return any(conforms(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, tuple) and _entries(value, inner)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            conforms(key, inner[0]) and conforms(one, inner[1]) for key, one in value.items()
        )
    if origin is not None and issubclass(origin, Sequence):
        return isinstance(value, list | tuple) and all(conforms(one, inner[0]) for one in value)
    return _is(value, hint)


def _entries(value: tuple[object, ...], inner: tuple[Any, ...]) -> bool:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return all(conforms(one, inner[0]) for one in value)
    return len(value) == len(inner) and all(map(conforms, value, inner))


def _is(value: object, kind: type) -> bool:
    if kind in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
        return whole or (kind is float and isinstance(value, float))
    if kind in (bool, str, NoneType) or is_dataclass(kind):
        return isinstance(value, kind)
    raise TypeError(f"no rule for {kind}")
