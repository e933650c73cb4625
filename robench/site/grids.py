"""Cells of the leaderboard as tables of the page, each with the question that asks for it."""

from collections.abc import Iterable, Sequence

from robench.cells import Cell
from robench.meanings import meaning
from robench.paper_table import ENVELOPE
from robench.site.contents import Column, Datum, Grid, Line
from robench.tables import target


def grid(cells: Iterable[Cell], corner: str) -> Grid:
    """Return a line a row of the cells' table, in their order, and a column a heading."""
    rows: dict[str, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(cell)
    first = {cell.column: cell for own in rows.values() for cell in own}
    lines = [_line(name, own, list(first)) for name, own in rows.items()]
    columns = [
        Column(title, meaning(cell.metric), _number([line.data[place] for line in lines]))
        for place, (title, cell) in enumerate(first.items())
    ]
    return Grid(corner, tuple(columns), tuple(lines))


def attack_grid(cells: Sequence[Cell]) -> Grid:
    """Return a line an attack on one network: `cells` are those of the paper's columns."""
    attacks: dict[str, list[Cell]] = {}
    for cell in cells:
        if not alone(cell):
            attacks.setdefault(_attack(cell), []).append(cell)
    first = {cell.column: cell for own in attacks.values() for cell in own}
    lines = [
        Line(name, question_row(own), _data(own, list(first)), name)
        for name, own in attacks.items()
    ]
    columns = [
        Column(title, meaning(_of_attack(cell)), _of_attack(cell)) for title, cell in first.items()
    ]
    return Grid("attack", tuple(columns), tuple(lines))


def alone(cell: Cell) -> bool:
    """Tell whether a cell of the paper's columns is of the network and not of an attack."""
    return cell.numbers == (cell.metric,) and not cell.metric.endswith(f"_{ENVELOPE}")


def question_row(cells: Sequence[Cell]) -> str:
    """Return how a question names the row of these cells, with the target if all have one."""
    at = _target(cells)
    return f"{cells[0].row} {at}" if at else cells[0].row


def datum(cell: Cell, cells: Sequence[Cell]) -> Datum:
    """Return a cell of a line of `cells`."""
    at = "" if _target(cells) or cell.target is None else f"{target(cell.target)} "
    return Datum(cell.text, f"{at}{cell.numbers[0]}")


def _line(name: str, cells: Sequence[Cell], columns: Sequence[str]) -> Line:
    return Line(name, question_row(cells), _data(cells, columns))


def _data(cells: Sequence[Cell], columns: Sequence[str]) -> tuple[Datum, ...]:
    found = {cell.column: datum(cell, cells) for cell in cells}
    return tuple(found.get(column, Datum("")) for column in columns)


def _target(cells: Sequence[Cell]) -> str:
    """Return the benign accuracy that all of these cells share; nothing where they do not."""
    found = {cell.target for cell in cells}
    one = found.pop()
    return "" if found or one is None else target(one)


def _attack(cell: Cell) -> str:
    return cell.numbers[0].removeprefix(f"{_of_attack(cell)}_")


def _of_attack(cell: Cell) -> str:
    return cell.metric.removesuffix(f"_{ENVELOPE}")


def _number(data: Sequence[Datum]) -> str:
    """Return what all of a column is asked for by; nothing where the cells differ in it."""
    found = {one.number for one in data if one.number}
    return found.pop() if len(found) == 1 else ""
