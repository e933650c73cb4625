"""A page in HTML with as many rows as one wants, each like one seed of a real leaderboard."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

from robench.legible import WHOLE
from robench.site.contents import Board, Line, Page, Row, Table

TABLE = 25
"""Rows of a table."""


def crowd(page: Page, rows: int, table: int | None = None) -> Page:
    """Return a page of boards of two tables each, of `table` rows, made of the first of `page`."""
    each = table or TABLE
    charts: dict[str, object] = {}
    board = page.boards[0]
    boards = [
        _board(board, place, each, page.charts, charts)
        for place in range(max(1, rows // (2 * each)))
    ]
    return replace(page, boards=tuple(boards), charts=charts)


def _board(board: Board, place: int, each: int, drawn: Any, charts: dict[str, object]) -> Board:
    name = f"{board.id}-{place}"
    charts[name] = drawn[board.id]
    # A table twice where the board has one.
    tables = [
        _table(table, f"{table.id}-{place}-{at}", each, drawn, charts)
        for at, table in enumerate((board.tables * 2)[:2])
    ]
    return replace(board, id=name, title=f"{board.title}, {place}", tables=tuple(tables))


def _table(table: Table, name: str, each: int, drawn: Any, charts: dict[str, object]) -> Table:
    rows = [_row(table.rows[place % len(table.rows)], name, place) for place in range(each)]
    pairs = table.pairs
    assert pairs is not None
    names = [row.line.name for row in rows]
    held = combinations(names, 2) if each <= WHOLE else _first_and_next(names)
    lines = [replace(pairs.lines[0], name=f"{one} - {other}") for one, other in held]
    charts[name] = _charts(drawn[table.id], dict(_ids(table, rows)))
    return replace(table, id=name, rows=tuple(rows), pairs=replace(pairs, lines=tuple(lines)))


def _first_and_next(names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs that a page lists of more than `WHOLE` rows."""
    yield from ((names[0], name) for name in names[1:])
    yield from pairwise(names[1:])


def _row(row: Row, table: str, place: int) -> Row:
    line = Line(f"{row.line.name} {place}", f"{row.line.row} {place}", row.line.data)
    seed = row.networks[:1]
    return replace(row, id=f"row-{table}-{place}", line=line, place=place % 9, networks=seed)


def _ids(table: Table, rows: list[Row]) -> Iterator[tuple[str, str]]:
    for place, row in enumerate(rows):
        yield row.id, table.rows[place % len(table.rows)].id


def _charts(drawn: Any, ids: dict[str, str]) -> object:
    """Return what a table's charts draw, with the lines of `ids`: new ones by what they repeat."""
    ranking = {one["row"]: one for one in drawn["ranking"]}
    panels = [
        panel | {"lines": list(_lines({line["row"]: line for line in panel["lines"]}, ids))}
        for panel in drawn["panels"]
    ]
    return {
        "target": drawn["target"],
        "rows": {
            new: drawn["rows"][old] | {"name": f"{drawn['rows'][old]['name']} {new[-4:]}"}
            for new, old in ids.items()
        },
        "ranking": list(_lines(ranking, ids)),
        "panels": panels,
    }


def _lines(known: dict[str, Any], ids: dict[str, str]) -> Iterator[object]:
    for new, old in ids.items():
        if old in known:
            yield known[old] | {"row": new}
