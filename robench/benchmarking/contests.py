"""What is measured against what: contests and fronts, read from YAML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from robench import documents
from robench.errors import UserError

OWN = "robench"
"""The library that is not a peer."""
BUILT_IN = Path(__file__).with_name("contests.yaml")
_WANTED = {
    "library": (str, "text"),
    "attack": (str, "text"),
    "preset": (str, "text"),
    "budget": (dict, "a mapping"),
    "batch_size": (int, "a whole number"),
    "title": (str, "text"),
    "ladder": (dict, "a mapping of one keyword to its values"),
}


@dataclass(frozen=True)
class Line:
    """One attack of one library at one budget."""

    library: str
    """`robench`, or a peer's name."""
    attack: str
    """The plugin's name; a peer's own name for it."""
    budget: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the plugin; the peer's own keywords."""
    preset: str = ""
    """Of the plugin, below the budget."""
    batch_size: int | None = None
    """Images given to it at once; None: all."""
    ladder: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """For a front: one keyword of the budget and its values, from the cheapest on."""
    title: str = ""
    """For a front: what its curve is called."""

    def __post_init__(self) -> None:
        """Refuse what no run can mean."""
        if self.batch_size is not None and self.batch_size < 1:
            raise UserError(f"{self.name}: batch_size {self.batch_size} is not at least 1")
        steps = list(self.ladder.values())
        if len(steps) > 1 or not all(isinstance(values, list) and values for values in steps):
            raise UserError(f"{self.name}: a ladder has one keyword and a list of its values")

    @property
    def name(self) -> str:
        """Return library and attack in words."""
        return f"{self.library} {self.attack}" + (f" {self.preset}" if self.preset else "")


@dataclass(frozen=True)
class Contest:
    """Attacks that seek the same. The first of robench's is what the others are compared with."""

    name: str
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Programme:
    """All that a file asks for."""

    contests: tuple[Contest, ...]
    front: tuple[Line, ...]
    """Minimal attacks, each with a ladder."""


def read(path: Path = BUILT_IN) -> Programme:
    """Read a file of contests; UserError, with the file's name, for what is wrong in it."""
    try:
        content = _mapping(documents.read(path), {"contests", "front"}, "the file")
        contests = tuple(_contest(row) for row in _rows(content.get("contests", []), "contests"))
        front = tuple(_line(row) for row in _rows(content.get("front", []), "front"))
        names = [contest.name for contest in contests]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"two contests are called {twice[0]!r}")
        if bare := [line.name for line in front if not (line.ladder and line.title)]:
            raise UserError(f"{bare[0]}, in the front, lacks its ladder or its title")
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return Programme(contests, front)


def chosen(programme: Programme, contests: Sequence[str], libraries: Sequence[str]) -> Programme:
    """Return these contests with ours and these libraries' lines; nothing named means all."""
    all_names = [contest.name for contest in programme.contests]
    _known("contest", contests, all_names)
    lines = [line for contest in programme.contests for line in contest.lines]
    _known("library", libraries, sorted({line.library for line in (*lines, *programme.front)}))
    kept = {*libraries, OWN}
    return Programme(
        tuple(
            Contest(one.name, one.title, _of(one.lines, kept if libraries else None))
            for one in programme.contests
            if not contests or one.name in contests
        ),
        _of(programme.front, kept if libraries else None),
    )


def at(line: Line, value: Any) -> Line:
    """Return a line of a front at one value of its ladder."""
    (keyword,) = line.ladder
    return replace(line, budget={**line.budget, keyword: value}, ladder={})


def _of(lines: Sequence[Line], libraries: set[str] | None) -> tuple[Line, ...]:
    return tuple(line for line in lines if libraries is None or line.library in libraries)


def _known(kind: str, asked: Sequence[str], there: Sequence[str]) -> None:
    if unknown := [name for name in asked if name not in there]:
        raise UserError(f"no {kind} called {unknown[0]!r}; there is: {', '.join(there)}")


def _contest(row: object) -> Contest:
    own = _mapping(row, {"name", "title", "lines"}, "a contest")
    if missing := [key for key in ("name", "lines") if not own.get(key)]:
        raise UserError(f"a contest lacks its {missing[0]}")
    name = str(own["name"])
    lines = tuple(_line(one) for one in _rows(own["lines"], f"lines of {name}"))
    if all(line.library != OWN for line in lines):
        raise UserError(f"the contest {name!r} has no line of the library {OWN}")
    return Contest(name, str(own.get("title", name)), lines)


def _line(row: object) -> Line:
    own = _mapping(row, {one.name for one in fields(Line)}, "a line")
    if missing := [key for key in ("library", "attack") if not own.get(key)]:
        raise UserError(f"a line lacks its {missing[0]}")
    for key, value in own.items():
        kind, words = _WANTED[key]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise UserError(f"{key}: {value} is not {words}")
        if isinstance(value, dict) and not all(isinstance(one, str) for one in value):
            raise UserError(f"{key}: {value} has a keyword that is not text")
    return Line(**own)


def _rows(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise UserError(f"{what} is not a list")
    return value


def _mapping(value: object, keys: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{what} is not a mapping of {', '.join(sorted(keys))}")
    if unknown := sorted(map(str, value.keys() - keys)):
        raise UserError(f"{what} has no {unknown[0]!r}; there is: {', '.join(sorted(keys))}")
    return value
