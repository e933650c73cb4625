"""From a question in words, `ROW NUMBER`, to the cells of the tables that it asks for."""

from collections.abc import Iterable, Sequence

from robench.archive import Archive
from robench.cells import Cell, cells
from robench.errors import UserError
from robench.ranking import rank
from robench.standings import Row, Standing, sections
from robench.tables import EMPTY, target

WAYS = 3
"""Ways to name a row: as the table does, by its variant, by its defense."""
NOTHING = "match and attack first: robench eval --matched-accuracy ..."


def asked(there: Sequence[Cell], question: str) -> tuple[tuple[Cell, ...], ...]:
    """Return the cells that a question asks for, those that show the same number together.

    `question`: a row as the tables print it, its target too where one likes (`pgn 0.605`), and a
    number (`rho_cw`). `there`: the cells of all tables to look at. Where no row of a
    table is called just that, a variant asks for each of its seeds, and a defense for each of its
    variants. UserError, with what there is, for a row or number that is not there.
    """
    words = " ".join(question.split())
    tables: dict[int, list[Cell]] = {}
    for cell in there:
        tables.setdefault(id(cell.ranking), []).append(cell)
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for table in tables.values():
        for cell in _meant(table, words):
            key = (id(cell.ranking), cell.row, cell.metric, id(cell.line))
            groups.setdefault(key, []).append(cell)
    if not groups:
        raise UserError(_unknown(there, words))
    return tuple(tuple(group) for group in groups.values())


def matched_rows(found: Archive, words: str) -> tuple[Row, ...]:
    """Return the matched rows that are called `words`, with or without their target.

    Of every table where the target is not said; a variant or a defense stands for its rows as in
    `asked`. None where no row is called so.
    """
    name, rows = " ".join(words.split()), list[Row]()
    for section in sections(found):
        for standing in section.standings:
            called = [(row, _ways(row.label, row)) for row in standing.rows]
            for way in range(WAYS):
                own = [row for row, names in called if name in _called(standing, names[way])]
                rows += own
                if own:
                    break
    return tuple(rows)


def row_names(found: Archive) -> tuple[str, ...]:
    """Return what the matched rows are called, each with its target."""
    return tuple(
        f"{row.label} {target(standing.target)}"
        for section in sections(found)
        for standing in section.standings
        for row in standing.rows
    )


def cells_of(found: Archive, at: float | None = None) -> list[Cell]:
    """Return the cells of all tables, or of those at one benign accuracy.

    Raises UserError where there is no such table.
    """
    by_section = sections(found)
    targets = sorted({one.target for section in by_section for one in section.standings})
    if not targets:
        raise UserError(f"{found.root} holds no table; {NOTHING}")
    if at is not None and at not in targets:
        known = ", ".join(target(one) for one in targets)
        raise UserError(f"--target {at:g}: nothing is matched there; matched at {known}")
    return [
        cell
        for section in by_section
        for standing in section.standings
        if at in (None, standing.target)
        for cell in cells(section, rank(standing, found.audits))
    ]


def _called(standing: Standing, name: str) -> list[str]:
    """Return the ways to name a row: by itself and with its target."""
    short = f"{standing.target:g}"
    return list(dict.fromkeys([name, f"{name} {target(standing.target)}", f"{name} {short}"]))


def _meant(table: Sequence[Cell], words: str) -> list[Cell]:
    """Return the cells whose row is called just so, else those of its variant or defense."""

    def named(cell: Cell, row: str) -> bool:
        rows = _called(cell.ranking.counted.standing, row)
        return any(f"{one} {number}" == words for one in rows for number in cell.numbers)

    for way in range(WAYS):
        found = [cell for cell in table if named(cell, _ways(cell.row, cell.networks[0])[way])]
        if found:
            return found
    return []


def _unknown(there: Sequence[Cell], words: str) -> str:
    """Say what exists: the numbers of the row where that is known, the rows where it is not."""
    for way in range(WAYS):
        named = [(cell, _ways(cell.row, cell.networks[0])[way]) for cell in there]
        own = [(cell, row) for cell, row in named if _begins(cell, row, words)]
        if own:
            longest = max((row for _, row in own), key=len)
            has = [cell for cell, row in own if row == longest and cell.text != EMPTY]
            return f"no number {words!r}; {longest} has: {_listed(one.numbers[0] for one in has)}"
    rows = _listed(cell.row for cell in there)
    return f'no row begins {words!r}; there: {rows}. Ask for a row and a number: "ROW rank"'


def _ways(label: str, row: Row) -> tuple[str, str, str]:
    """Return what a row can be named by, the narrowest first."""
    return label, row.match.variant, row.match.defense


def _begins(cell: Cell, row: str, words: str) -> bool:
    rows = _called(cell.ranking.counted.standing, row)
    return any(words == one or words.startswith(f"{one} ") for one in rows)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"
