"""What a run file says of one evaluation: the options of `robench eval`, as keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from robench import documents
from robench.campaign import Campaign, check
from robench.conformance import conforms
from robench.errors import UserError
from robench.records import Setting
from robench.spelling import suggestion

MOST = 100
"""Evaluations of one run file."""


@dataclass(frozen=True)
class _Option:
    """Where a key's value goes, its type, and what that is in words."""

    field: str
    kind: Any
    words: str


def _plain(kind: type, field: str) -> _Option:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return _Option(field, kind, words[kind])


OPTIONS: Mapping[str, _Option] = {
    "matched_accuracy": _Option("targets", float | Sequence[float], "a number or a list of them"),
    "final": _plain(bool, "finals"),
    "tolerance": _plain(float, "tolerance"),
    "preset": _plain(str, "preset"),
    "attack": _Option("attacks", str | Sequence[str], "a name or a list of them"),
    "set": _Option("settings", Mapping[str, Setting], "a mapping of ATTACK.SETTING to values"),
    "images": _plain(int, "images"),
    "image_seed": _plain(int, "image_seed"),
    "source": _plain(str, "source"),
    "source_seed": _plain(int, "source_seed"),
    "engine": _plain(str, "engine"),
    "precision": _plain(str, "precision"),
    "keep": _plain(int, "keep"),
    "audit": _plain(bool, "audit"),
}
"""The keys of an evaluation. Which runs, images and device is the same for all of a file."""


def read(given: object, template: Campaign) -> tuple[Campaign, ...]:
    """Return the campaigns of a list of evaluations; what an entry does not say is the template's.

    Raises UserError, naming the entry, for a key that is unknown, a value of the wrong type or
    range, and an attack or a preset that there is not.
    """
    if not isinstance(given, list) or not given:
        raise UserError("evaluate: no list; write `evaluate: [{matched_accuracy: 0.70}, ...]`")
    if len(given) > MOST:
        raise UserError(f"evaluate: {len(given):,} evaluations, more than {MOST}")
    return tuple(_campaign(one, template, place) for place, one in enumerate(given, start=1))


def _campaign(given: object, template: Campaign, place: int) -> Campaign:
    where = f"evaluate, entry {place}"
    entry = documents.mapping(given, where)
    try:
        fields: dict[str, Any] = dict(_field(key, value) for key, value in entry.items())
        campaign = replace(template, **fields)
        check(campaign)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return campaign


def _field(key: str, value: Any) -> tuple[str, Any]:
    """Return a campaign's field and its value: of what may be several, a tuple."""
    if key not in OPTIONS:
        raise UserError(f"no key {key!r}{suggestion(key, OPTIONS)} There is: {', '.join(OPTIONS)}")
    option = OPTIONS[key]
    if not conforms(value, option.kind) or value == []:
        raise UserError(f"{key} is {value!r}, not {option.words}")
    several = option.field in ("targets", "attacks")
    listed = tuple(value if isinstance(value, list) else (value,)) if several else value
    return option.field, listed
