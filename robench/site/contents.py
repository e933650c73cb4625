"""What the page in HTML shows, as plain data; the templates beside it say where.

Texts are as the Markdown page shows them, letter by letter; `Markup` is HTML already.
"""

from dataclasses import dataclass

from markupsafe import Markup

from robench.contents import Gallery


@dataclass(frozen=True)
class Column:
    """The head of a table's column."""

    title: str
    meaning: str
    """What the numbers below are, in words."""
    number: str = ""
    """What all numbers below are asked for by, with the line's `of` behind it; empty: each has its
    own name."""


@dataclass(frozen=True)
class Datum:
    """A number, or the words that stand in its place."""

    text: str
    number: str = ""
    """What follows the row's name in a question to `robench explain`; empty: nothing to ask."""

    @property
    def value(self) -> str:
        """Return the text without its interval."""
        return self.text.partition(" [")[0] if self.interval else self.text

    @property
    def interval(self) -> str:
        """Return the interval in brackets and what marks it; empty where there is none."""
        _, bracket, rest = self.text.partition(" [")
        return f"[{rest}" if bracket else ""


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    name: str
    row: str
    """What a question to `robench explain` begins with."""
    data: tuple[Datum, ...]
    of: str = ""
    """The attack that the line is of: it ends the names of its numbers."""


@dataclass(frozen=True)
class Grid:
    """A table below a heading of the rows' names."""

    corner: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]

    @property
    def at(self) -> str:
        """Return the target that every question has after the line's name; empty if not so."""
        found = {one.row.removeprefix(f"{one.name} ") for one in self.lines}
        named = all(one.row.startswith(f"{one.name} ") and not one.of for one in self.lines)
        return found.pop() if named and len(found) == 1 else ""

    @property
    def row(self) -> str:
        """Return what every question begins with, where the lines are of one row's attacks."""
        found = {one.row for one in self.lines if one.of}
        return found.pop() if len(found) == 1 else ""


@dataclass(frozen=True)
class Check:
    """What one check of an audit found."""

    name: str
    verdict: str
    measured: str
    threshold: str
    remedy: str
    """These two are empty where there is nothing to mend."""


@dataclass(frozen=True)
class Made:
    """An evaluation that the row's numbers are computed from."""

    record: str
    facts: tuple[str, ...]
    decides: str
    """Of how many images it decides the envelope; empty where that is not known."""


@dataclass(frozen=True)
class Network:
    """One network of a row, or one that robench did not train."""

    title: str
    facts: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]
    attacks: Grid
    made: tuple[Made, ...]
    by: tuple[tuple[str, str], ...]
    """On what and by which commands the evaluations were made."""


@dataclass(frozen=True)
class Row:
    """A defense at one benign accuracy."""

    id: str
    line: Line
    place: int
    """Of its variant, which gives it its colour and its marker."""
    matched: bool
    verdict: str
    """Of the audit, in a word: pass, warn, fail or none."""
    why: str
    """Why it is not ranked, or not matched."""
    networks: tuple[Network, ...]


@dataclass(frozen=True)
class Table:
    """What stands side by side at one benign accuracy."""

    id: str
    target: str
    chosen: Markup
    """How checkpoints were matched."""
    measured: Markup
    """What the numbers are of."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[Markup, ...]
    part: Grid | None
    part_said: Markup
    pairs: Grid | None
    pairs_left_out: Markup
    """Which pairs these are not, and how to ask for them; empty where they are all."""
    remarks: Markup
    remarked: int
    gallery: Gallery | None
    curves: Grid | None
    """Accuracy at some norms, for who reads no chart."""


@dataclass(frozen=True)
class Points:
    """The robustness curves of a section as tables."""

    said: Markup
    grids: tuple[tuple[str, Grid], ...]
    """By the attack: benign accuracy and rho of each strength."""
    outer: Grid | None
    outer_said: Markup


@dataclass(frozen=True)
class Board:
    """A section: all that was trained on the same data by the same protocol."""

    id: str
    title: str
    facts: tuple[tuple[str, Markup], ...]
    more: tuple[tuple[str, Markup], ...]
    tables: tuple[Table, ...]
    points: Points | None
    beside: Grid | None
    beside_title: str
    beside_said: Markup
    checks: tuple[tuple[str, str], ...]
    """What each check of the audits wants."""
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Strangers:
    """Networks that robench did not train, for the same images: unranked."""

    id: str
    title: str
    said: Markup
    summary: Grid
    footnotes: tuple[Markup, ...]
    networks: tuple[Network, ...]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    boards: tuple[Board, ...]
    strangers: tuple[Strangers, ...]
    empty: Markup
    """What to do where there is neither."""
    notes: Markup
    sources: Markup
    reading: Markup
    reproductions: tuple[tuple[str, str], ...]
    glossary: tuple[tuple[str, str], ...]
    """What the columns are, by their titles."""
    left_out: int
    """Evaluations of weights that no recorded run holds."""
    charts: object
    """What the charts draw, as JSON can hold it."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the benign accuracies of all tables."""
        return tuple(sorted({table.target for board in self.boards for table in board.tables}))
