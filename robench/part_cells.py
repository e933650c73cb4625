"""The cells of the table of what more attacks change on a part of the images."""

from collections.abc import Iterator

from robench.cells import Cell, ordered
from robench.markdown import plain
from robench.part import part_of
from robench.part_table import COLUMNS, part_cells
from robench.ranking import Ranking
from robench.standings import Section
from robench.wanted import ALL, Wanted

NUMBERS = ("rank_on_part", "rho_correct_before", "rho_correct_after", "lowered")
"""What the columns are asked for by; keys of `robench.meanings.NUMBERS`."""


def of_part(section: Section, ranking: Ranking, wanted: Wanted = ALL) -> Iterator[Cell]:
    """Yield the cells of one standing; none where all attacks were run on all images."""
    found = part_of(ranking)
    for line in found.lines if found else ():
        if not wanted.row(line.entry.variant, line.entry.rows[0].match.defense):
            continue
        results = [one for row in line.entry.rows for one in ordered(ranking, row)]
        for number, column, text in zip(NUMBERS, COLUMNS, part_cells(line), strict=True):
            yield Cell(
                *(section, ranking, "more attacks", column, line.entry.variant, number),
                numbers=(number,),
                text=plain(text),
                networks=line.entry.rows,
                results=tuple(results),
                entry=line.entry,
                note=f"on {found.count:,} of the images" if found else "",
            )
