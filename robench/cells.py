"""The cells of the leaderboard's tables, each with the words that ask for it and what it is of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from robench import paper_table, summary_table
from robench.archive import Result
from robench.markdown import plain
from robench.paper_table import ENVELOPE, PAPER_HEADER, Line, attack_lines
from robench.ranking import Entry, Ranking
from robench.records import Run
from robench.standings import Row, Section, labels
from robench.tables import EMPTY, not_matched, radius
from robench.wanted import ALL, Wanted

Table = Literal[
    "summary",
    "more attacks",
    "paper's columns",
    "paired differences",
    "robustness curves",
    "beside the paper",
]
SUMMARY = (
    *("rank", "", "seeds", "images", "benign"),
    *(f"{metric}_{ENVELOPE}" for metric in ("rho_correct", "rho", "success")),
)
"""What the summary's first columns are asked for by; the second is the address itself."""
ATTACK = ("accuracy", "rho", "median", "success", "rho_correct", "accuracy_black")
"""What the paper's columns are asked for by, followed by the attack."""
NETWORK = ("benign", "seconds_per_epoch", "images", "matched_by")
"""The same of what holds for the network and stands on its first line; images are each line's."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One number of one table, or the words that stand in its place."""

    section: Section
    ranking: Ranking | None
    """None where the number is of the whole section and not of a target."""
    table: Table
    column: str
    row: str
    """What the table calls the row, a pair as it is printed; not Markdown."""
    metric: str
    """A key of `robench.meanings.MEANINGS`."""
    numbers: tuple[str, ...]
    """What the number can be asked for by; the first is its name."""
    text: str
    """As the table shows it; not Markdown."""
    networks: tuple[Row, ...] = ()
    """The matched ones that it is of."""
    finals: tuple[Run, ...] = ()
    """The runs whose final checkpoints it is of, where none was matched for it."""
    results: tuple[Result, ...] = ()
    """What the number is computed from; of an envelope, all that it is over."""
    line: Line | None = None
    """The attack, where it is of one."""
    entry: Entry | None = None
    """Of the row; None where it is not matched, or a pair."""
    note: str = ""
    """What to read it with; not Markdown."""

    @property
    def target(self) -> float | None:
        """Return the benign accuracy of the table."""
        return self.ranking.counted.standing.target if self.ranking else None

    @property
    def enveloped(self) -> bool:
        """Tell whether it is computed from the envelope over all attacks that count."""
        by_all = self.metric == "rank" or self.metric.endswith(ENVELOPE)
        return by_all or self.table == "paired differences"

    @property
    def paired(self) -> bool:
        """Tell whether the row is two rows held against each other."""
        return self.table in ("paired differences", "robustness curves")

    @property
    def ways(self) -> tuple[str, str, str]:
        """Return what the row can be named by: as in the table, its variant, its defense."""
        if self.paired or not self.networks:
            return self.row, self.row, self.row
        return self.row, *_others(self.networks[0])


def cells(section: Section, ranking: Ranking, wanted: Wanted = ALL) -> Iterator[Cell]:
    """Yield the cells of the summary and of the paper's columns, but those that name a row."""
    yield from _summary(section, ranking, wanted)
    entries = [(row, entry) for entry in ranking.entries for row in entry.rows]
    unmatched = [(row, None) for row in ranking.counted.standing.unmatched]
    for row, entry in (*entries, *unmatched):
        if wanted.row(row.label, *_others(row)):
            yield from _paper(section, ranking, row, entry)


def _others(row: Row) -> tuple[str, str]:
    """Return what a row can be named by beside what its table calls it."""
    return row.match.variant, row.match.defense


def ordered(ranking: Ranking, row: Row) -> tuple[Result, ...]:
    """Return what the envelope of a row is over: attacks on all images, then those on a part."""
    found, count = ranking.counted.ways(row), ranking.counted.standing.count
    return tuple(found[way] for way in sorted(found, key=lambda way: way.count < count))


def _summary(section: Section, ranking: Ranking, wanted: Wanted) -> Iterator[Cell]:
    """Yield the cells of the entries and of what was not matched."""
    header, lines = summary_table.cells(ranking)
    radii = [f"accuracy_{ENVELOPE} at {e:g}" for e in ranking.counted.radii]
    called = [*SUMMARY, *radii, "seconds_per_epoch", "audit"]  # the reason is told with the rank
    rows = [(entry.variant, entry.rows, entry) for entry in ranking.entries]
    apart = [(row.label, (row,), None) for row in ranking.counted.standing.unmatched]
    for (name, networks, entry), line in zip([*rows, *apart], lines, strict=True):
        if not wanted.row(name, *_others(networks[0])):
            continue
        for number, column, text in zip(called, header[:-1], line[:-1], strict=True):
            if number:
                metric = number.partition(" ")[0]
                yield Cell(
                    *(section, ranking, "summary", column, name, metric),
                    numbers=_spelled(number, several=len(radii) > 1),
                    text=plain(text),
                    networks=networks,
                    results=_behind(ranking, entry, metric) if entry else (),
                    entry=entry,
                )


def _behind(ranking: Ranking, entry: Entry, metric: str) -> tuple[Result, ...]:
    """Return what a number of the summary is computed from."""
    over_all = metric == "rank" or metric == "benign" or metric.endswith(ENVELOPE)
    if over_all and entry.envelopes:
        return tuple(one for row in entry.rows for one in ordered(ranking, row))
    if metric in ("benign", "images"):
        return tuple(row.whole[0] for row in entry.rows if row.whole)
    return ()


def _paper(section: Section, ranking: Ranking, row: Row, entry: Entry | None) -> Iterator[Cell]:
    """Yield the cells of one network: a line an attack, the last that of the envelope."""
    of = attack_lines(row, ranking.counted.standing.shared)
    names = _attacks(ranking, of)
    own = ordered(ranking, row) if entry and entry.envelopes else ()
    given = [(line, _results(line)) for line in of] + [
        (None, dict.fromkeys((*ATTACK, "images"), own))
    ]
    blank = [[EMPTY] * len(PAPER_HEADER)] * len(of)
    unmatched = [[*[EMPTY] * (len(PAPER_HEADER) - 1), not_matched(row)], *blank]
    shown = paper_table.cells(ranking, row) if entry else unmatched
    for place, ((line, results), texts) in enumerate(zip(given, shown, strict=True)):
        columns = zip((*ATTACK, *NETWORK), PAPER_HEADER[2:], texts[2:], strict=True)
        for number, column, text in columns:
            alone = number in NETWORK and number != "images"
            if alone and place:
                continue  # stands on the first line
            metric = number if line or alone else f"{number}_{ENVELOPE}"
            yield Cell(
                *(section, ranking, "paper's columns", column, row.label, metric),
                numbers=(number,) if alone else tuple(f"{number}_{one}" for one in names[place]),
                text=plain(text),
                networks=(row,),
                results=row.whole[:1] if number == "benign" else results.get(number, ()),
                line=None if alone else line,
                entry=entry,
            )


def _results(line: Line) -> dict[str, tuple[Result, ...]]:
    white = (line.white,) if line.white else ()
    black = (line.black,) if line.black else ()
    return {
        **dict.fromkeys(ATTACK, white),
        "accuracy_black": black,
        "images": (*white, *black),
    }


def _attacks(ranking: Ranking, lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Return the names of each line's attack, the envelope's last.

    As the table has it, without its radius, and with the number of its images.
    """
    called = labels(ranking.counted.standing.conditions)
    found = []
    for line in lines:
        name = called[line.condition]
        whole = name + radius(line.condition)
        counts = {one.evaluation.count for one in (line.white, line.black) if one}
        with_images = [f"{whole} on {count} images" for count in counts]
        found.append(tuple(dict.fromkeys([whole, name, *with_images])))
    return [*found, (ENVELOPE,)]


def _spelled(number: str, *, several: bool) -> tuple[str, ...]:
    """Return a number's names: one radius alone need not be said."""
    short = number.partition(" ")[0]
    return (number,) if several or short == number else (number, short)
