"""From a question in words, `ROW NUMBER`, to the cells of the tables that it asks for."""

import re
from collections.abc import Iterable, Iterator, Sequence

from robench.archive import Archive
from robench.cells import Cell, cells
from robench.errors import UserError
from robench.pair_cells import of_curves, of_differences, wanted_of
from robench.paper_cells import of_published
from robench.part_cells import of_part
from robench.ranking import Ranking, rank
from robench.standings import Row, Section, sections
from robench.tables import EMPTY, target
from robench.wanted import ALL, Wanted, begins

WAYS = 3
"""Ways to name a row: as the table does, by its variant, by its defense."""
NOTHING = "match and attack first: robench eval --matched-accuracy ..."
_Ranked = Sequence[tuple[Section, Sequence[Ranking]]]
"""What `ranking.ranked` returns."""


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
        tables.setdefault(_place(cell), []).append(cell)
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for table in tables.values():
        for cell in _meant(table, words):
            key = (_place(cell), cell.row, cell.metric, id(cell.line))
            groups.setdefault(key, []).append(cell)
    if not groups:
        raise UserError(_unknown(there, words))
    return tuple(tuple(group) for group in groups.values())


def asked_of(
    found: Archive, question: str, at: float | None = None
) -> tuple[tuple[Cell, ...], ...]:
    """Return what `asked` returns of all tables, or of those at one benign accuracy.

    Only the cells of the rows that the question is about are made: tables of hundreds of rows have
    a hundred thousand cells, and more pairs. UserError as `asked` and `cells_of` raise it.
    """
    tables, words = _tables(found, at), " ".join(question.split())
    own = _cells(tables, at, Wanted(words))
    return asked(own or _cells(tables, at, Wanted(paired=False)), question)


def matched_rows(found: Archive, words: str) -> tuple[Row, ...]:
    """Return the matched rows that are called `words`, with or without their target.

    Of every table where the target is not said; a variant or a defense stands for its rows as in
    `asked`. None where no row is called so.
    """
    name, rows = " ".join(words.split()), list[Row]()
    for section in sections(found):
        for standing in section.standings:
            called = [
                (row, (row.label, row.match.variant, row.match.defense)) for row in standing.rows
            ]
            for way in range(WAYS):
                own = [row for row, names in called if name in _called(standing.target, names[way])]
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


def cells_of(
    found: Archive,
    at: float | None = None,
    ranked: _Ranked | None = None,
) -> list[Cell]:
    """Return the cells of all tables, or of those at one benign accuracy.

    `ranked`: what `ranking.ranked` returned, where that was called before. Raises UserError where
    there is no such table.
    """
    return _cells(_tables(found, at, ranked), at, ALL)


def _tables(found: Archive, at: float | None, ranked: _Ranked | None = None) -> _Ranked:
    """Return what there is to ask of; UserError where there is nothing, or nothing at `at`."""
    by_section = sections(found) if ranked is None else [section for section, _ in ranked]
    targets = sorted({one.target for section in by_section for one in section.standings})
    if not targets:
        raise UserError(f"{found.root} holds no table; {NOTHING}")
    if at is not None and at not in targets:
        known = ", ".join(target(one) for one in targets)
        raise UserError(f"--target {at:g}: nothing is matched there; matched at {known}")
    if ranked is not None:
        return ranked
    return [
        (section, [rank(s, found.audits) for s in section.standings if at in (None, s.target)])
        for section in by_section
    ]


def _cells(tables: _Ranked, at: float | None, wanted: Wanted) -> list[Cell]:
    return [cell for section, own in tables for cell in _of_section(section, own, at, wanted)]


def _of_section(
    section: Section, rankings: Sequence[Ranking], at: float | None, wanted: Wanted
) -> Iterator[Cell]:
    for ranking in rankings:
        yield from cells(section, ranking, wanted)
        yield from of_part(section, ranking, wanted)
        yield from of_differences(section, ranking, wanted_of(ranking.differences, wanted))
    curves = of_curves(section) if at is None and wanted.pairs else ()
    published = (c for c in of_published(section, rankings) if at is None or c.target is not None)
    yield from (cell for cell in (*curves, *published) if wanted.row(*cell.ways))


def _place(cell: Cell) -> int:
    """Tell the tables of one target, and those of a whole section, from all others."""
    return id(cell.ranking or cell.section)


def _called(at: float | None, name: str) -> list[str]:
    """Return the ways to name a row: by itself and with its target."""
    if at is None:
        return [name]
    return list(dict.fromkeys([name, *(f"{name} {one}" for one in _targets(at))]))


def _targets(at: float) -> tuple[str, str]:
    """Return the ways to write a target: as the tables do, and in full."""
    return target(at), f"{at:g}"


def _meant(table: Sequence[Cell], words: str) -> list[Cell]:
    """Return the cells whose row is called just so, else those of its variant or defense."""

    def named(cell: Cell, row: str) -> bool:
        rows = _called(cell.target, row)
        return any(f"{one} {number}" == words for one in rows for number in cell.numbers)

    for way in range(WAYS):
        found = [cell for cell in table if named(cell, cell.ways[way])]
        if found:
            return found
    return []


def _unknown(there: Sequence[Cell], words: str) -> str:
    """Say what exists: the numbers of the row where that is known, the rows where it is not."""
    for way in range(WAYS):
        named = [(cell, cell.ways[way]) for cell in there]
        own = [(cell, row) for cell, row in named if _begins(cell, row, words)]
        if own:
            longest = max((row for _, row in own), key=len)
            if elsewhere := _elsewhere([c for c, row in own if row == longest], longest, words):
                return elsewhere
            has = [cell for cell, row in own if row == longest and cell.text != EMPTY]
            return f"no number {words!r}; {longest} has: {_listed(one.numbers[0] for one in has)}"
    rows = _listed(cell.row for cell in there if not cell.paired)
    ask = '"ROW rank", or "ROW - ROW difference"'
    return f"no row begins {words!r}; there: {rows}. Ask for a row and a number: {ask}"


def _elsewhere(own: Sequence[Cell], row: str, words: str) -> str:
    """Say where a row is matched, where `words` name another target; nothing where they do not."""
    named = re.match(r"(\d*\.?\d+)(?!\S)", words.removeprefix(row).lstrip())
    targets = sorted({cell.target for cell in own if cell.target is not None})
    if not named or not targets or named[1] in {n for at in targets for n in _targets(at)}:
        return ""
    known = ", ".join(map(target, targets))
    return f"no {words!r}: {row} is not matched at {named[1]}; matched at {known}"


def _begins(cell: Cell, row: str, words: str) -> bool:
    rows = _called(cell.target, row)
    return any(begins(words, one) for one in rows)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"
