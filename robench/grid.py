"""From what varies to requests: every combination, for one defense or several."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from robench import documents
from robench.errors import UserError
from robench.planning import PRECISIONS, Request
from robench.plugins import DEFENSES
from robench.records import Setting
from robench.settings import Field, declared

Values = Mapping[str, Sequence[Setting]]
"""What each key is to be in turn, text or typed."""
_Axis = tuple[str, str, Sequence[Setting]]
"""A key as it was given, the setting's name without its defense, and the values."""
FIELDS = {
    "seed": Field("seed", int, Request.seed),
    "epochs": Field("epochs", int, Request.epochs),
    "batch_size": Field("batch_size", int, Request.batch_size),
    "learning_rate": Field("learning_rate", float, Request.learning_rate),
    "ema": Field("ema", float, Request.ema),
    "rung": Field("rung", float, Request.rung),
    "validation": Field("validation", int, 0),
    "precision": Field("precision", str, Request.precision, PRECISIONS),
}
"""What may vary of a request beside its settings, by its name there."""
SHORT = {"lr": "learning_rate", "batch-size": "batch_size"}
"""The same by the names of their options."""
_SHARED = ("model", "dataset")
"""Whose settings are given as `model.width`, for every defense."""
_TEXTS = ("dataset", "data_dir", "model")


def expand(template: Request, values: Values) -> list[Request]:
    """Return a request for every combination of `values`, the first key changing slowest.

    A key of `FIELDS` or `SHORT` sets that field of the request, any other one its `settings`.
    Raises UserError for a field's value of the wrong type or range.
    """
    return _varied(template, [(key, key, choices) for key, choices in values.items()])


def for_defenses(template: Request, defenses: Sequence[str], values: Values) -> list[Request]:
    """Return the requests of several defenses, one defense after the other.

    `model.KEY`, `dataset.KEY` and fields of a request hold for all. `KEY` holds for the defenses
    that declare it, `DEFENSE.KEY` for that one alone, where it replaces `KEY`; `DEFENSE` is
    written as in `defenses`. Raises UserError for a setting that none of them declares.
    """
    own = {name: {one.name for one in declared(DEFENSES.get(name).cls)} for name in defenses}
    for key in values:
        _check(key, own)
    return [
        request
        for name, settings in own.items()
        for request in _varied(replace(template, defense=name), _of(name, settings, values))
    ]


def read_file(path: Path, template: Request) -> list[Request]:
    """Return the requests of a YAML file: mappings of scalars and lists, one list a key.

    At the top stand `dataset`, `data_dir`, `model`, fields of a request, `model.KEY` and
    `dataset.KEY`; under `defenses`, for each defense, its settings. What the file does not say is
    as in `template`. Raises UserError, naming the file, for what is anything else.
    """
    try:
        content = _mapping(documents.read(path), "a grid")
        for key in content:
            _check_top(key)
        named = _mapping(content.pop("defenses", None), "defenses")
        if not named:
            raise UserError("no defenses; write `defenses: {NAME: {SETTING: [VALUE, ...]}}`")
        texts = {key: content.pop(key) for key in _TEXTS if key in content}
        values = {key: _list(key, value) for key, value in content.items() if value is not None}
        for defense, settings in named.items():
            for key, value in _mapping(settings, defense).items():
                values[f"{defense}.{key}"] = _list(f"{defense}.{key}", value)
        return for_defenses(_placed(template, texts), list(named), values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _varied(template: Request, axes: Iterable[_Axis]) -> list[Request]:
    requests = [template]
    for key, setting, choices in axes:
        requests = [_with(one, key, setting, value) for one in requests for value in choices]
    return requests


def _with(request: Request, key: str, setting: str, value: Setting) -> Request:
    if not _is_field(key):
        return replace(request, settings={**request.settings, setting: value})
    field = FIELDS[SHORT.get(key, key)]
    try:
        typed: Any = field.read(value)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{key}={value} is not {field.accepts}") from None
    return replace(request, **{field.name: typed})


def _of(name: str, settings: set[str], values: Values) -> Iterator[_Axis]:
    """Yield what holds for the defense `name`, under the names that its request knows."""
    for key, choices in values.items():
        owner, setting = _split(key)
        shared = owner in _SHARED or _is_field(key)
        replaced = f"{name}.{key}" in values
        if owner == name:
            yield key, setting, choices
        elif shared or (not owner and key in settings and not replaced):
            yield key, key, choices


def _check(key: str, own: Mapping[str, set[str]]) -> None:
    """Refuse a key that holds for no defense."""
    owner, setting = _split(key)
    if _is_field(key) or owner in _SHARED:
        return
    if owner and owner not in own:
        raise UserError(f"{key}: the defense {owner!r} is not of this grid: {', '.join(own)}")
    settings = sorted(own[owner] if owner else set().union(*own.values()))
    if setting not in settings:
        known = [*settings, *([] if owner else FIELDS)]
        who = f"{owner or ', '.join(own)} {'has' if owner or len(own) == 1 else 'have'}"
        raise UserError(
            f"{who} no setting {setting!r}{_near(setting, known)} "
            f"Settings: {', '.join(settings) or 'none'}"
        )


def _split(key: str) -> tuple[str, str]:
    """Return (owner, setting); the owner may hold dots, being a file or a module."""
    owner, _, setting = key.rpartition(".")
    return owner, setting


def _is_field(key: str) -> bool:
    return SHORT.get(key, key) in FIELDS


def _near(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else "."


def _check_top(key: str) -> None:
    owner, _ = _split(key)
    if key not in ("defenses", *_TEXTS) and not _is_field(key) and owner not in _SHARED:
        known = ["defenses", *_TEXTS, *FIELDS, "model.KEY", "dataset.KEY"]
        raise UserError(f"no key {key!r}{_near(key, known)} There is: {', '.join(known)}")


def _mapping(value: object, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{what} is a {type(value).__name__}, not a mapping of keys to values")
    if odd := [key for key in value if not isinstance(key, str)]:
        raise UserError(f"{what}: the key {odd[0]} is not text; put it in quotes")
    return value


def _list(key: str, value: object) -> list[Setting]:
    """Return a scalar or a list of scalars as a list."""
    given: list[Any] = value if isinstance(value, list) else [value]
    if not given or not all(isinstance(one, bool | int | float | str) for one in given):
        raise UserError(f"{key} is neither a value nor a list of values: {value}")
    return given


def _placed(template: Request, texts: Mapping[str, object]) -> Request:
    """Return the template on the data set and network that the file names."""
    given = {key: value for key, value in texts.items() if value is not None}
    for key, value in given.items():
        if not isinstance(value, str):
            raise UserError(f"{key} is {value}, not one text")
    if "data_dir" in given:
        given["data_dir"] = template.data_dir or Path(str(given["data_dir"]))
    fields: dict[str, Any] = given
    return replace(template, **fields)
