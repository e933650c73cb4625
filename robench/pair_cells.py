"""The cells of the tables that hold two defenses against each other: differences, and curves."""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations

from robench.archive import Result
from robench.cells import Cell, ordered
from robench.comparison import Difference, Pairs
from robench.comparison_tables import DIFFERENCES, DOMINANCE, difference_cells, dominance_cells
from robench.dominance import Dominance
from robench.markdown import plain
from robench.outer import outer
from robench.ranking import Ranking
from robench.standings import Section
from robench.wanted import Wanted

DIFFERENCE = ("difference", "verdict", "benign", "images", "seeds")
CURVES = (
    *("shared_accuracies", "area", "advantage", "share_ahead", "crossings"),
    *("verdict", "points", "images", "seeds"),
)
"""What the columns of either table are asked for by."""


def of_differences(
    section: Section, ranking: Ranking, pairs: Iterable[Difference]
) -> Iterator[Cell]:
    """Yield the cells of some paired differences of one standing."""
    entries = {one.variant: one for one in ranking.entries}

    @cache
    def own(name: str) -> tuple[Result, ...]:
        return tuple(result for row in entries[name].rows for result in ordered(ranking, row))

    for one in pairs:
        rows = (*entries[one.first].rows, *entries[one.second].rows)
        results = (*own(one.first), *own(one.second))
        for number, column, text in zip(
            DIFFERENCE, DIFFERENCES, difference_cells(one), strict=True
        ):
            yield Cell(
                *(section, ranking, "paired differences", column, f"{one.first} - {one.second}"),
                metric=number,
                numbers=(number,),
                text=_unmarked(text),
                networks=rows,
                results=results,
                note=_verdict(one.leader),
            )


def wanted_of(differences: Pairs, wanted: Wanted) -> Iterator[Difference]:
    """Yield those of the differences that a question is about, and compute no others."""
    if wanted.pairs:
        for first, second in combinations(differences.names, 2):
            if wanted.pair(first, second):
                yield differences.of(first, second)


def of_curves(section: Section) -> Iterator[Cell]:
    """Yield the cells of what says which robustness curve lies further out."""
    found = outer(section)
    for one in found.pairs if found else ():
        if found is None or not isinstance(one, Dominance):
            continue  # a pair without a comparison has a sentence and no cells
        finals = [
            final
            for name in (one.first, one.second)
            for seeds in found.track.curves[name].values()
            for final in seeds
        ]
        for number, column, text in zip(CURVES, DOMINANCE, dominance_cells(one), strict=True):
            yield Cell(
                *(section, None, "robustness curves", column, f"{one.first} - {one.second}"),
                metric="fewest_seeds" if number == "seeds" else number,
                numbers=(number,),
                text=_unmarked(text),
                finals=tuple(final.run for final in finals),
                results=tuple(final.result for final in finals),
                note=f"curves under {found.track.title}; {_verdict(one.leader)}",
            )


def _unmarked(cell: str) -> str:
    """Return a cell without Markdown, that of who is ahead included."""
    return plain(cell.replace("**", ""))


def _verdict(leader: str | None) -> str:
    return f"{leader} is ahead" if leader else "a tie"
