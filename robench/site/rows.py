"""A row of the leaderboard with all that stands behind it: attacks, audits, provenance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robench.archive import Archive
from robench.cells import Cell
from robench.explanation import Explanation, Measurement
from robench.explanation import Network as Recorded
from robench.markdown import plain
from robench.provenance import explained
from robench.provenance_text import measurement_facts, network_facts
from robench.ranking import Entry
from robench.records import Audit, Finding, digest
from robench.site.contents import Check, Column, Datum, Grid, Line, Made, Network, Row
from robench.site.grids import alone, attack_grid, datum, question_row
from robench.standings import Row as Match
from robench.standings import Section
from robench.summary_table import verdict
from robench.tables import matched_by, not_matched, target

OF_ATTACK = ("attack", "settings", "seconds")
"""What is shown of each evaluation, called as `robench explain` does."""
SHARED = ("images", "engine", "source", "on", "made by")
"""What many evaluations share, and is shown once."""
OF_SECTION = ("data", "model", "training")
"""What all rows of a section share, and is shown above them."""


@dataclass(frozen=True, eq=False)
class Source:
    """What a row is made from."""

    archive: Archive
    section: Section
    at: float
    """The benign accuracy of the table."""
    columns: tuple[Column, ...]
    cells: Sequence[Cell]
    """Of the row in the summary."""
    paper: Mapping[str, Sequence[Cell]]
    """Of its networks in the paper's columns, by what they are called there."""


def row_id(section: Section, at: float, name: str) -> str:
    """Return the name of a row in links; it stays the same when other rows come."""
    return f"row-{digest([section.spec.protocol, at, name], 8)}"


def ranked_row(source: Source, entry: Entry) -> Row:
    """Return the row of a matched defense."""
    behind = explained(source.archive, [source.cells[0]])
    networks = zip(entry.rows, behind.networks, entry.audits, strict=True)
    return Row(
        id=row_id(source.section, source.at, entry.variant),
        line=_line(source, entry.variant),
        place=source.section.variants.index(entry.variant),
        matched=True,
        verdict=_verdict(entry.audits),
        why="; ".join(entry.reasons),
        networks=tuple(_network(source, behind, *one) for one in networks),
    )


def unmatched_row(source: Source, row: Match) -> Row:
    """Return the row of a defense that reached no match."""
    (network,) = explained(source.archive, [source.cells[0]]).networks
    facts = tuple(_facts(source.archive, network_facts(network)))
    return Row(
        id=row_id(source.section, source.at, row.label),
        line=_line(source, row.label),
        place=source.section.variants.index(row.match.variant),
        matched=False,
        verdict="none",
        why=plain(not_matched(row)),
        networks=(Network(row.label, facts, (), attack_grid(()), (), ()),),
    )


def _line(source: Source, name: str) -> Line:
    """Return the row's cells below the columns of its table."""
    found = {cell.column: datum(cell, source.cells) for cell in source.cells}
    data = tuple(found.get(column.title, Datum("")) for column in source.columns)
    return Line(name, question_row(source.cells), data)


def _network(
    source: Source, behind: Explanation, row: Match, recorded: Recorded, audit: Audit | None
) -> Network:
    cells = source.paper[row.label]
    own = [one for one in behind.measurements if one.weights == recorded.weights]
    facts = {cell.column: cell.text for cell in cells if alone(cell) and cell.text}
    facts |= {"matched by": plain(matched_by(row)), **network_facts(recorded)}
    facts = {name: text for name, text in facts.items() if name not in OF_SECTION}
    title = f"{row.label}, matched at {target(source.at)}"
    return network(source.archive, title, attack_grid(cells), facts, audit, own)


def network(
    archive: Archive,
    title: str,
    attacks: Grid,
    facts: Mapping[str, str],
    audit: Audit | None,
    measured: Sequence[Measurement],
) -> Network:
    """Return a network with what stands behind its numbers: `measured`, each evaluation of it."""
    return Network(
        title=title,
        facts=tuple(_facts(archive, facts)),
        checks=tuple(_check(one) for one in audit.findings) if audit else (),
        attacks=attacks,
        made=tuple(_made(one) for one in measured),
        by=tuple(_by(archive, measured)),
    )


def _facts(archive: Archive, facts: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return ((name, _relative(archive, text)) for name, text in facts.items() if text)


def _relative(archive: Archive, text: str) -> str:
    """Return text with the paths of records as they lie in the folder of records."""
    return text.replace(f"{archive.root}/", "records/")


def _check(one: Finding) -> Check:
    to_mend = (one.threshold, one.remedy) if one.verdict in ("warn", "fail") else ("", "")
    return Check(one.check, one.verdict, one.measured, *to_mend)


def _made(one: Measurement) -> Made:
    facts = measurement_facts(one)
    return Made(
        record=Path(one.record).stem,
        facts=tuple(facts[name] for name in OF_ATTACK),
        decides="" if one.decides is None else str(one.decides),
    )


def _by(archive: Archive, own: Sequence[Measurement]) -> Iterable[tuple[str, str]]:
    """Return, once each, what most of the evaluations share: where and how they were made."""
    found = [measurement_facts(one) for one in own]
    pairs = dict.fromkeys((name, one[name]) for name in SHARED for one in found if one[name])
    yield from ((name, _relative(archive, " ".join(text.split()))) for name, text in pairs)
    if kept := [one for one in own if one.samples]:
        which = "all" if len(kept) == len(own) else f"{len(kept)} of {len(own)}"
        folder = _relative(archive, str(Path(kept[0].samples).parent))
        yield "images kept", f"of {which} evaluations, {folder}/RECORD.samples.npz"


def _verdict(audits: Sequence[Audit | None]) -> str:
    """Return the worst that audits found, in a word."""
    said = verdict(audits).partition(":")[0]
    return said if said in ("pass", "warn", "fail") else "none"
