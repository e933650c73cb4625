"""From the records to what the page shows: the same tables and words as the Markdown page's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from robench import leaderboard
from robench.archive import Archive
from robench.beside import beside
from robench.beside_table import minding
from robench.cells import Cell
from robench.cells import cells as summary_and_paper
from robench.contents import Gallery
from robench.figures import robustness_curve
from robench.footnotes import footnotes
from robench.imported.part import results_of
from robench.legible import left_out, pairs_of
from robench.outer import outer
from robench.page import EMPTY, READING
from robench.pair_cells import of_curves, of_differences
from robench.paper_cells import of_published
from robench.part import part_of
from robench.part_cells import of_part
from robench.part_table import said as part_said
from robench.ranking import Ranking
from robench.records import digest
from robench.remarks import remarks
from robench.reproduction.record import Reproduction
from robench.robustness_text import reading
from robench.section_text import FACTS, chosen, commands, facts, measured, title
from robench.site import curves, grids, pictures
from robench.site.contents import Board, Column, Grid, Page, Points, Row, Table
from robench.site.prose import html, inline
from robench.site.rows import Source, ranked_row, unmatched_row
from robench.site.strangers import strangers
from robench.standings import Section
from robench.tables import target


@dataclass(frozen=True, eq=False)
class _Gathering:
    """What all parts of the page are made from, and what they add to."""

    archive: Archive
    galleries: Mapping[str, Gallery | None]
    """By the id of their table."""
    charts: dict[str, object]
    """What is drawn, by the id of the table or the board."""


def gather(
    archive: Archive,
    everything: Sequence[tuple[Section, Sequence[Ranking]]],
    notes: tuple[str, str],
    reproductions: Sequence[Reproduction],
) -> Page:
    """Return the page of all records.

    `everything`: all sections with their rankings, as `ranking.ranked` has them; `notes`: Markdown
    to open it with, and what it rests on.
    """
    ranked = [(section, rankings) for section, rankings in everything if rankings]
    gathering = _Gathering(archive, _galleries(archive, ranked, reproductions), {})
    boards = tuple(_board(gathering, *one) for one in ranked)
    return Page(
        boards=boards,
        strangers=strangers(archive, [section for section, _ in everything]),
        empty=html(EMPTY),
        notes=html(notes[0].strip()),
        sources=html(notes[1]),
        reading=html(READING.partition("\n\n")[2]),
        reproductions=tuple((one.title, leaderboard.page_of(one)) for one in reproductions),
        glossary=_glossary(boards),
        left_out=len(archive.results)
        - results_of(archive)
        - sum(len(section.results) for section, _ in everything),
        charts=gathering.charts,
    )


def _galleries(
    archive: Archive,
    ranked: Sequence[tuple[Section, Sequence[Ranking]]],
    reproductions: Sequence[Reproduction],
) -> dict[str, Gallery | None]:
    """Return the pictures of each table, by its id."""
    tables = {
        _table_id(section, ranking): (ranking, pictures.classes_of(section, reproductions))
        for section, rankings in ranked
        for ranking in rankings
    }
    found = pictures.within(pictures.shown(archive, *one) for one in tables.values())
    return dict(zip(tables, found, strict=True))


def _board(gathering: _Gathering, section: Section, rankings: Sequence[Ranking]) -> Board:
    """Return a section; add what its charts draw."""
    first = facts(section)
    more = {name: first.pop(name) for name in [*first] if name not in FACTS}
    published = beside(section, rankings)
    board = f"board-{section.spec.protocol}"
    for ranking in rankings:
        gathering.charts[_table_id(section, ranking)] = curves.standing_charts(section, ranking)
    return Board(
        id=board,
        title=title(section),
        facts=_said(first),
        more=_said(more),
        tables=tuple(_table(gathering, section, one) for one in rankings),
        points=_points(section, board, gathering.charts),
        beside=_grid(of_published(section, rankings), "defense"),
        beside_title=f"Beside the paper's {published.terms.table}" if published else "",
        beside_said=inline(minding(published)) if published else Markup(),
        checks=_checks(gathering.archive, section),
        commands=tuple(commands(section)),
    )


def _checks(archive: Archive, section: Section) -> tuple[tuple[str, str], ...]:
    """Return what each check of the section's audits wants, once."""
    weights = {kept.sha256 for run in section.runs for kept in run.checkpoints}
    audits = [audit for sha, audit in sorted(archive.audits.items()) if sha in weights]
    wanted = {one.check: one.threshold for audit in audits for one in audit.findings}
    return tuple(wanted.items())


def _glossary(boards: Sequence[Board]) -> tuple[tuple[str, str], ...]:
    """Return what the columns of rankings and of attacks are, once."""
    found: dict[str, str] = {}
    for table in (table for board in boards for table in board.tables):
        columns = [*table.columns]
        columns += [
            one for row in table.rows[:1] for own in row.networks for one in own.attacks.columns
        ]
        for one in columns:
            found.setdefault(one.title, one.meaning)
    return tuple(found.items())


def _points(section: Section, board: str, charts: dict[str, object]) -> Points | None:
    figure = robustness_curve(section)
    if figure is None:
        return None
    drawn = curves.section_charts(section, figure)
    charts[board] = drawn
    found = outer(section)
    under = f"Which curve lies further out, under {found.track.title}" if found else ""
    return Points(
        said=inline(reading(section, figure)),
        grids=curves.points_grid(drawn),
        outer=_grid(of_curves(section), "defenses"),
        outer_said=Markup.escape(under),
    )


def _table(gathering: _Gathering, section: Section, ranking: Ranking) -> Table:
    part, found = part_of(ranking), remarks(ranking)
    pairs = pairs_of(ranking.differences, ranking.best_first)
    columns, rows = _rows(gathering.archive, section, ranking)
    return Table(
        id=_table_id(section, ranking),
        target=target(ranking.counted.standing.target),
        chosen=inline(chosen(section.spec, ranking.counted.standing)),
        measured=inline(measured(section, ranking)),
        columns=columns,
        rows=rows,
        footnotes=tuple(inline(note) for note in footnotes(ranking)),
        part=_grid(of_part(section, ranking), "defense"),
        part_said=inline(part_said(ranking, part)) if part else Markup(),
        pairs=_grid(of_differences(section, ranking, pairs), "defenses"),
        pairs_left_out=inline(left_out(ranking.differences)),
        remarks=html("\n".join(found)),
        remarked=len(found),
        gallery=gathering.galleries[_table_id(section, ranking)],
        curves=curves.norms_grid(section, ranking),
    )


def _rows(
    archive: Archive, section: Section, ranking: Ranking
) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """Return the columns of the summary and its rows, with the paper's columns behind each."""
    tables: dict[str, dict[str, list[Cell]]] = {}
    for cell in summary_and_paper(section, ranking):
        tables.setdefault(cell.table, {}).setdefault(cell.row, []).append(cell)
    summary, paper = tables.get("summary", {}), tables.get("paper's columns", {})
    columns = grids.grid((cell for own in summary.values() for cell in own), "defense").columns
    at = ranking.counted.standing.target
    lines: list[Row] = []
    for entry in ranking.entries:
        source = Source(archive, section, at, columns, summary[entry.variant], paper)
        lines.append(ranked_row(source, entry))
    for row in ranking.counted.standing.unmatched:
        source = Source(archive, section, at, columns, summary[row.label], paper)
        lines.append(unmatched_row(source, row))
    return columns, tuple(lines)


def _grid(cells: Iterable[Cell], corner: str) -> Grid | None:
    found = grids.grid(cells, corner)
    return found if found.lines else None


def _table_id(section: Section, ranking: Ranking) -> str:
    at = ranking.counted.standing.target
    return f"table-{digest([section.spec.protocol, at], 8)}"


def _said(facts: Mapping[str, str]) -> tuple[tuple[str, Markup], ...]:
    return tuple((name, inline(text)) for name, text in facts.items())
