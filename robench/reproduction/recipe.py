"""A recipe: what one table or figure of the paper is made of, read from YAML.

    title, section, claim, note    what the paper shows, where, and what it says of it
    dataset                        the data set it was shown on
    train: {GROUP: [ENTRY, ...]}   an entry is a defense with its settings; a list varies a setting
    show: [ITEM, ...]              a drawing or table of one group, under some attacks

`$name` stands for a value of the scale, `$a * $b` for products of two of them.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from robench import documents
from robench.conformance import conforms
from robench.errors import UserError
from robench.records import Setting

Kind = Literal["table", "accuracy-norm", "robustness", "along-training", "attack-power", "gallery"]
Entry = Mapping[str, tuple[Setting, ...]]
"""A plugin's name under `defense` or `attack`, and every setting's values."""
Values = Mapping[str, Setting | tuple[Setting, ...] | None]
PUBLISHED_ORDER = (
    *("table2", "table3", "figure2", "figure3", "figure4", "figure5"),
    *("figure7", "figure8", "table4"),
)
_SETTINGS = tuple[Setting, ...]
_FOLDER = Path(__file__).parent / "recipes"
_SCALES = "scales.yaml"


@dataclass(frozen=True)
class Balance:
    """At which benign accuracies a group is matched: below that of one defense's final network."""

    to: str
    below: tuple[float, ...]


@dataclass(frozen=True)
class Item:
    """One drawing or table."""

    show: Kind
    of: str
    attacks: tuple[Entry, ...]
    title: str = ""
    match: Balance | None = None
    """None: the final checkpoints are shown."""
    label: str = "variant"
    """What tells the lines apart: the variant, the `strength`, or a setting such as model.width."""
    moments: int = 0
    """Checkpoints along training; for `along-training`."""
    pictures: int = 0
    """Images to show; for `gallery`."""
    black_box: bool = False
    published: bool = False
    """Draw the paper's points as well."""


@dataclass(frozen=True)
class Recipe:
    """What one table or figure is made of, all `$names` filled in."""

    name: str
    title: str
    section: str
    claim: str
    dataset: str
    train: Mapping[str, tuple[Entry, ...]]
    show: tuple[Item, ...]
    note: str = ""


def names() -> list[str]:
    """Return the names of the built-in recipes: the paper's, in its order, and then the others."""
    there = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    others = [name for name in there if name not in (*PUBLISHED_ORDER, Path(_SCALES).stem)]
    return [*PUBLISHED_ORDER, *others]


def scales() -> dict[str, Values]:
    """Return the named scales."""
    return {
        name: {key: _frozen(value) for key, value in values.items()}
        for name, values in _mapping(_FOLDER / _SCALES, _SCALES).items()
    }


def scale(name: str, changes: Mapping[str, Sequence[str]]) -> Values:
    """Return the values of a scale with some replaced, each given as its list of words."""
    known = scales()
    if name not in known:
        raise UserError(f"no scale {name!r}; there are: {', '.join(known)}")
    values = dict(known[name])
    everywhere = {key for one in known.values() for key in one}
    for key, words in changes.items():
        if key not in everywhere:
            there = ", ".join(sorted(everywhere))
            raise UserError(f"--set {key}: a scale has no such value; it has: {there}")
        typed: Any = tuple(documents.parse(word) for word in words)
        listed = any(isinstance(one.get(key), tuple) for one in known.values())
        if not listed and len(typed) > 1:
            raise UserError(f"--set {key}: one value is wanted, {len(typed)} were given")
        values[key] = typed if listed else typed[0]
    return values


def read(name: str, values: Values) -> Recipe:
    """Return the recipe called `name`, or that of a file `NAME.yaml`, filled in with `values`.

    Raises UserError, naming the file, for what is not there or not understood.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not os.path.isfile(path):  # unlike Path's, for names of any length
            raise UserError(f"there is no recipe file {name}")
        return _recipe(path.stem, _mapping(path, name), values, name)
    if name not in names():
        raise UserError(
            f"no recipe {name!r}; there are: {', '.join(names())}, all; or give a FILE.yaml"
        )
    return _recipe(name, _mapping(_FOLDER / f"{name}.yaml", name), values, name)


def product(entry: Entry) -> list[dict[str, Setting]]:
    """Return every combination of an entry's values."""
    rows = itertools.product(*entry.values())
    return [dict(zip(entry, row, strict=True)) for row in rows]


def _recipe(name: str, content: dict[str, Any], values: Values, file: str) -> Recipe:
    _known(content, Recipe, file, but="name")
    groups = {
        group: tuple(_entry(row, "defense", values, f"{file}: {group}") for row in rows)
        for group, rows in _lists(content["train"], f"{file}: train").items()
    }
    if not groups or not all(groups.values()):
        raise UserError(f"{file}: train: every group needs an entry, and there must be one group")
    where = f"{file}: show"
    rows = _expect(content["show"], list, where)
    items = tuple(_item(row, values, groups, where) for row in rows)
    text = {key: str(content.get(key, "")).strip() for key in ("title", "section", "claim", "note")}
    return Recipe(name=name, dataset=str(content["dataset"]), train=groups, show=items, **text)


def _lists(value: object, where: str) -> dict[str, list[object]]:
    groups = _expect(value, dict, where)
    return {str(name): _expect(rows, list, f"{where}: {name}") for name, rows in groups.items()}


def _item(row: object, values: Values, groups: Mapping[str, object], where: str) -> Item:
    given = dict(_expect(row, dict, where))
    _known(given, Item, where)
    if not isinstance(given["of"], str):
        raise UserError(f"{where}: of: {given['of']!r} is not text")
    if given["show"] not in get_args(Kind):
        raise UserError(f"{where}: {given['show']!r} is not of {', '.join(get_args(Kind))}")
    if given["of"] not in groups:
        raise UserError(f"{where}: of: {given['of']!r} is not a group of {', '.join(groups)}")
    listed = _expect(given["attacks"], list, where)
    given["attacks"] = tuple(_entry(one, "attack", values, where) for one in listed)
    if balance := given.get("match"):
        given["match"] = _balance(_expect(balance, dict, where), where)
    if isinstance(moments := given.get("moments", 0), str):
        given["moments"] = _value(moments, values, where)[0]
    hints = get_type_hints(Item)
    if odd := [key for key, value in given.items() if not conforms(value, hints[key])]:
        raise UserError(f"{where}: {odd[0]}: {given[odd[0]]!r} is not what is wanted there")
    if given.get("moments", 0) < 0 or given.get("pictures", 0) < 0:
        raise UserError(f"{where}: moments and pictures are at least 0")
    return Item(**given)


def _balance(given: dict[str, Any], where: str) -> Balance:
    _known(given, Balance, where)
    below = _expect(given["below"], list, f"{where}: below")
    if not isinstance(given["to"], str) or not conforms(below, Sequence[float]):
        raise UserError(f"{where}: match: wanted a defense and numbers, found {given!r}")
    return Balance(given["to"], tuple(map(float, below)))


def _entry(row: object, plugin: str, values: Values, where: str) -> Entry:
    given = _expect(row, dict, where)
    if plugin not in given:
        raise UserError(f"{where}: an entry names no {plugin}: {given}")
    entry = {str(key): _value(value, values, where) for key, value in given.items()}
    if not isinstance(next(iter(entry[plugin]), None), str):
        raise UserError(f"{where}: the {plugin} {given[plugin]!r} is not a name")
    if odd := [key for key, found in entry.items() if not conforms(found, _SETTINGS)]:
        raise UserError(f"{where}: {odd[0]}: {given.get(odd[0])!r} is neither a value nor a list")
    return entry


def _value(value: object, values: Values, where: str) -> tuple[Setting, ...]:
    """Return the values that a setting takes, `$names` filled in."""
    if not (isinstance(value, str) and value.startswith("$")):
        frozen = _frozen(value)
        return frozen if isinstance(frozen, tuple) else (frozen,)
    factors = [_named(word, values, where) for word in value.split(" * ")]
    if len(factors) == 1:
        return factors[0]
    left, *right = factors
    if len(right) != 1 or not conforms((*left, *right[0]), tuple[float, ...]):
        raise UserError(f"{where}: {value}: a product is of two numbers")
    return tuple(float(a) * float(b) for a in left for b in right[0])


def _named(word: str, values: Values, where: str) -> tuple[Setting, ...]:
    found = values.get(word.removeprefix("$"))
    if found is None:
        raise UserError(f"{where}: no value {word}; the scale has: {', '.join(values)}")
    return found if isinstance(found, tuple) else (found,)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _mapping(path: Path, file: str) -> dict[str, Any]:
    try:
        return dict(_expect(documents.read(path), dict, "the whole"))
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def _expect(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise UserError(f"{where}: wanted a {kind.__name__}, found {value!r}")
    return value


def _known(content: Mapping[str, Any], kind: type, where: str, but: str = "") -> None:
    """Refuse keys that are unknown, and name those that are missing."""
    own = {one.name: one for one in fields(kind) if one.name != but}
    if unknown := content.keys() - own.keys():
        odd = sorted(unknown, key=str)[0]
        raise UserError(f"{where}: unknown {odd!r}; known: {', '.join(own)}")
    needed = {name for name, one in own.items() if one.default is MISSING}
    if missing := needed - content.keys():
        raise UserError(f"{where}: {sorted(missing)[0]!r} is missing")
