"""Rows as tables that are read as text and rendered as Markdown."""

from collections.abc import Sequence

from robench.benchmarking.floor import Pass
from robench.benchmarking.row import Row
from robench.markdown import escape, table

HEADER = (
    "library",
    "attack",
    "budget",
    "batch",
    "images",
    "seconds",
    "passes",
    "success",
    "accuracy",
    "mean L2",
    "median L2",
    "time",
    "L2",
    "floor",
)
FLOORS = ("pass", "precision", "ms a sample", "batch", "layout")


def rows_table(rows: Sequence[Row]) -> str:
    """Return the rows of a contest; `time` and `L2` are ratios to ours, `floor` to the least."""
    return aligned(HEADER, [_cells(row) for row in rows])


def floors_table(floors: Sequence[Pass]) -> str:
    """Return the fastest passes that were found."""
    return aligned(
        FLOORS,
        [
            (one.way, one.precision, f"{1000 * one.seconds:.4f}", str(one.batch_size), one.layout)
            for one in floors
        ],
    )


def summary(row: Row) -> str:
    """Return a row in a few words, for whoever waits."""
    distance = f", mean L2 {_number(row.mean_l2, 4)}" if row.mean_l2 is not None else ""
    return (
        f"{row.library} {row.attack} ({row.budget}): {row.images} images in {row.seconds:.2f} s, "
        f"success {row.success:.3f}{distance}"
    )


def _cells(row: Row) -> tuple[str, ...]:
    ways = [
        sum(count for kind, count in row.passes.items() if kind.startswith(way))
        for way in ("forward", "backward")
    ]
    return (
        escape(row.library),
        escape(row.attack),
        escape(row.budget),
        str(row.batch_size),
        str(row.images),
        f"{row.seconds:.2f}",
        "/".join(f"{count:.0f}" for count in ways),
        f"{row.success:.3f}",
        f"{row.accuracy:.3f}",
        _number(row.mean_l2, 4),
        _number(row.median_l2, 4),
        _number(row.ratio, 2),
        _number(row.l2_ratio, 4),
        _number(row.floor_ratio, 2),
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns line up as text too."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    padded = [
        [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        for cells in (header, *rows)
    ]
    return table(padded[0], padded[1:])
