"""The ranking on the images that more attacks were run on, in Markdown."""

import math

from robench.markdown import escape, table
from robench.part import Line, Part, part_of
from robench.ranking import Ranking
from robench.tables import interval

COLUMNS = (
    "rank there",
    "rho_correct, attacks on all images",
    "rho_correct, all attacks",
    "lowered by",
)


def on_part(ranking: Ranking) -> list[str]:
    """Return what more attacks change; nothing where all were run on all images."""
    found = part_of(ranking)
    if found is None:
        return []
    header = [COLUMNS[0], "defense", *COLUMNS[1:]]
    rows = []
    for line in found.lines:
        place, *numbers = part_cells(line)
        rows.append([place, escape(line.entry.variant), *numbers])
    return [said(ranking, found), table(header, rows)]


def part_cells(line: Line) -> list[str]:
    """Return the cells of a line, the defense's name left out."""
    lowered = "n/a" if math.isnan(line.lowered) else f"{line.lowered:.1%}"
    return [str(line.rank), interval(line.before), interval(line.after), lowered]


def said(ranking: Ranking, found: Part) -> str:
    """Return what the attacks were and whether ranks change, as Markdown."""
    names = ", ".join(dict.fromkeys(ranking.counted.names(found.ways)))
    same = all(line.rank == line.entry.rank for line in found.lines)
    ranks = "The ranks are the same" if same else "Not all ranks are the same"
    return (
        f"**Under more attacks**, on {found.count:,} of these images: {escape(names)}. "
        f"{ranks} as on all images; fewer images tell less apart."
    )
