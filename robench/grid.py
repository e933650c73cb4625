"""From what varies to requests: every combination, for one defense or several."""

import math
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
from robench.spelling import suggestion

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
_SEED = "seed"
"""The one field that a defense's grid may say for itself: the others make another protocol."""
MOST = 10_000
"""Requests of one grid of one defense: a slip of the pen multiplies quickly."""


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
    """Return the requests of a YAML file; see `read`. Raises UserError, which names the file."""
    try:
        return read(documents.read(path), template)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read(given: object, template: Request) -> list[Request]:
    """Return the requests of a grid: mappings of scalars and lists, one list a key.

    At the top stand `dataset`, `data_dir`, `model`, fields of a request, `model.KEY` and
    `dataset.KEY`; under `defenses`, for each defense, its settings and seeds, or a list of several
    such grids. What is not said is as in `template`. Raises UserError for what is anything else.
    """
    content = documents.mapping(given, "a grid")
    for key in content:
        _check_top(key)
    named = documents.mapping(content.pop("defenses", None), "defenses")
    if not named:
        raise UserError("no defenses; write `defenses: {NAME: {SETTING: [VALUE, ...]}}`")
    texts = {key: content.pop(key) for key in _TEXTS if key in content}
    shared = {key: _list(key, value) for key, value in content.items() if value is not None}
    placed = _placed(template, texts)
    return [
        request
        for defense, own in named.items()
        for one in _grids(defense, own)
        for request in for_defenses(placed, [defense], {**shared, **_own(defense, one)})
    ]


def _grids(defense: str, own: object) -> list[dict[str, Any]]:
    """Return the grids of one defense: a mapping is a list of one."""
    if not isinstance(own, list):
        return [documents.mapping(own, defense)]
    if not own:
        raise UserError(f"{defense}: an empty list of grids; write {{}} for the defaults")
    return [documents.mapping(one, f"{defense}, grid {n}") for n, one in enumerate(own, start=1)]


def _own(defense: str, grid: Mapping[str, Any]) -> dict[str, list[Setting]]:
    """Return what one grid of a defense says, under the names that `for_defenses` knows.

    A setting of the defense goes before a field of the request that is called the same.
    """
    settings = {one.name for one in declared(DEFENSES.get(defense).cls)}
    values = {}
    for key, value in grid.items():
        field = key not in settings and _is_field(key)
        if field and key != _SEED:
            raise UserError(
                f"{defense}: {key} is the same for all that is compared; write it at the top, or "
                "make it another file"
            )
        values[key if field else f"{defense}.{key}"] = _list(f"{defense}.{key}", value)
    return values


def _varied(template: Request, axes: Iterable[_Axis]) -> list[Request]:
    axes, requests = list(axes), [template]
    if (count := math.prod(len(choices) for _, _, choices in axes)) > MOST:
        raise UserError(f"{count:,} combinations for {template.defense}, more than {MOST:,}")
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
            f"{who} no setting {setting!r}{suggestion(setting, known)} "
            f"Settings: {', '.join(settings) or 'none'}"
        )


def _split(key: str) -> tuple[str, str]:
    """Return (owner, setting); the owner may hold dots, being a file or a module."""
    owner, _, setting = key.rpartition(".")
    return owner, setting


def _is_field(key: str) -> bool:
    return SHORT.get(key, key) in FIELDS


def _check_top(key: str) -> None:
    owner, _ = _split(key)
    if key not in ("defenses", *_TEXTS) and not _is_field(key) and owner not in _SHARED:
        known = ["defenses", *_TEXTS, *FIELDS, "model.KEY", "dataset.KEY"]
        raise UserError(f"no key {key!r}{suggestion(key, known)} There is: {', '.join(known)}")


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
