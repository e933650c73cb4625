"""The cells of the table that sets our numbers beside the paper's."""

from collections.abc import Iterator, Sequence

from robench.beside import Beside, Line, Reading, beside
from robench.beside_table import beside_cells
from robench.cells import Cell
from robench.markdown import plain
from robench.ranking import Ranking
from robench.standings import Section

MEASURES = ("rho_over_baseline", "rho_mean", "benign")
COST = "seconds_per_epoch"
"""What the columns are of, in their order; keys of `robench.meanings.MEANINGS`."""


def of_published(section: Section, rankings: Sequence[Ranking]) -> Iterator[Cell]:
    """Yield the cells of each target, of the section's cost, and of what was published.

    Those of a variant without a number are left out.
    """
    found = beside(section, rankings)
    if found is None:
        return
    header, rows = beside_cells(found)
    targets: tuple[int | None, ...] = (*range(len(rankings)), None)  # None: the paper's
    columns = [(measure, at) for measure in MEASURES for at in targets]
    columns += [(COST, 0), (COST, None)]
    for line, texts in zip(found.lines, rows, strict=True):
        for (measure, at), column, text in zip(columns, header, texts, strict=True):
            reading = None if at is None else line.readings[at]
            if at is None:
                yield _published(section, found, line, measure, column, text)
            elif measure == COST:
                yield _cost(section, line, column, text)
            elif reading is not None and (measure != "rho_over_baseline" or reading.base):
                shown = (measure, column, text)
                yield _ours(section, rankings[at], reading, _name(found, measure), shown)


def _ours(
    section: Section, ranking: Ranking, one: Reading, name: str, shown: tuple[str, str, str]
) -> Cell:
    measure, column, text = shown
    entries = [one.entry]
    results = one.results
    if measure == "rho_over_baseline" and one.base:
        entries.append(one.base)
        results = (*results, *one.baseline)
    return Cell(
        *(section, ranking, "beside the paper", column, one.entry.variant, measure),
        numbers=(name,),
        text=plain(text),
        networks=tuple(row for entry in entries for row in entry.rows),
        results=tuple(dict.fromkeys(results)),
        entry=one.entry,
    )


def _cost(section: Section, line: Line, column: str, text: str) -> Cell:
    return Cell(
        *(section, None, "beside the paper", column, line.variant, COST),
        numbers=(COST,),
        text=text,
        finals=line.runs,
        note="of all runs of the variant, at any strength",
    )


def _published(
    section: Section, found: Beside, line: Line, measure: str, column: str, text: str
) -> Cell:
    defense = line.runs[0].spec.defense
    return Cell(
        *(section, None, "beside the paper", column, line.variant, "published"),
        numbers=(f"{_name(found, measure).removesuffix('_mean')}_paper",),
        text=text,
        note=f"{found.terms.table} of the paper, {defense}; networks {found.terms.scale}",
    )


def _name(found: Beside, measure: str) -> str:
    """Return what a measure is asked for by: of the attack's distances, with its name."""
    head, _, rest = measure.partition("_")
    return f"rho_{found.terms.attack}_{rest}" if head == "rho" else measure
