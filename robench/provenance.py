"""Where a number of the leaderboard comes from: its networks and evaluations, from the records."""

from collections.abc import Sequence
from pathlib import Path

from robench.archive import AUDITS, Archive, matches_path
from robench.cells import Cell, ordered
from robench.counting import Counted, Way
from robench.eligibility import audit_reasons
from robench.envelope import decided
from robench.errors import UserError
from robench.explanation import Explanation, Network, Pair, Shown, Undecided
from robench.imported.explaining import explain_imported, numbers_there
from robench.markdown import plain
from robench.meanings import meaning, uncertainty
from robench.measurements import measurement
from robench.questions import asked_of
from robench.records import Run, Settings
from robench.standings import Row
from robench.summary_table import verdict
from robench.tables import (
    EMPTY,
    MARK,
    NOT_RUN,
    interval,
    matched_by,
    not_matched,
    settings,
    strength,
    trained,
)


def explain(found: Archive, question: str, target: float | None = None) -> tuple[Explanation, ...]:
    """Return where the number comes from that a question asks for, one a table that shows it.

    See `robench.questions.asked`, also for what it raises. Networks that robench did not train are
    asked for in the same way.
    """
    own = explain_imported(found, question) if target is None else ()
    try:
        groups = asked_of(found, question, target)
    except UserError as error:
        if own:
            return own
        raise UserError(numbers_there(found, question, str(error))) from None
    return (*own, *(explained(found, cells) for cells in groups))


def explained(found: Archive, cells: Sequence[Cell]) -> Explanation:
    """Return what stands behind cells that show the same number, one a table."""
    filled = [cell for cell in cells if cell.text != EMPTY] or list(cells)
    first = filled[0]  # the summary's, where both tables have it
    networks = {id(row): row for cell in filled for row in cell.networks}
    finals = {run.key: run for cell in filled for run in cell.finals}
    results = {one.evaluation.key: one for cell in filled for one in cell.results}
    enveloped = [row for row in networks.values() if any(cell.enveloped for cell in filled)]
    counts = _decided(first, enveloped) if results else {}
    return Explanation(
        row=first.row,
        number=first.numbers[0],
        dataset=first.section.spec.dataset,
        protocol=first.section.spec.protocol,
        target=first.target,
        shown=tuple(Shown(cell.table, cell.column, cell.text) for cell in cells),
        meaning=meaning(first.metric),
        interval=uncertainty(first.metric, len(networks)) if "[" in first.text else "",
        remark=_remark(first),
        networks=(
            *(_network(found, first, row) for row in networks.values()),
            *(_final(found, run) for run in finals.values()),
        ),
        measurements=tuple(
            measurement(found, one, counts.get(key)) for key, one in results.items()
        ),
        undecided=tuple(_undecided(first, row) for row in enveloped) if results else (),
        pairs=_pairs(first) if first.metric == "rank" else (),
    )


def _remark(cell: Cell) -> str:
    """Say why a cell holds no number, or what to read it with."""
    if cell.text.endswith(MARK):
        mark = f"{MARK} failures are left out, and they are many: read the success rate beside it"
        return f"{cell.note}; {mark}" if cell.note else mark
    if cell.note or cell.ranking is None:
        return cell.note
    if cell.entry is None:
        unmatched = cell.ranking.counted.standing.unmatched
        (row,) = (row for row in unmatched if row.label == cell.row)
        return plain(not_matched(row))
    if cell.text == NOT_RUN:
        return f"not run; run: {_command(cell, cell.ranking.counted)}"
    if cell.text == EMPTY and cell.line:
        made = "was made for its defense alone" if cell.line.condition.adaptive else "has another"
        return f"left out on purpose, as the attack {made} (docs/metrics.md, The numbers)"
    if cell.text in (EMPTY, "incomplete"):
        reasons = "; ".join(cell.entry.reasons)
        return reasons or "the envelope is of all attacks and sides, and has no such number"
    return ""


def _command(cell: Cell, counted: Counted) -> str:
    """Return the command that would fill a cell."""
    if cell.line is None:
        return counted.asked
    one, white = cell.line.condition, cell.metric != "accuracy_black"
    known = (way for way in counted.shared if (way.condition, way.white_box) == (one, white))
    return counted.command(next(known, Way(one, white, "", 0)))


def _decided(cell: Cell, rows: Sequence[Row]) -> dict[str, int]:
    """Return how many images each evaluation decides, by its key."""
    counts: dict[str, int] = {}
    if cell.ranking is None:
        return counts
    for row in rows:
        measured, own = cell.ranking.envelope(row), ordered(cell.ranking, row)
        if measured is not None:
            by = decided(measured, [one.outcomes for one in own])
            counts |= {one.evaluation.key: count for one, count in zip(own, by, strict=True)}
    return counts


def _undecided(cell: Cell, row: Row) -> Undecided:
    measured = cell.ranking.envelope(row) if cell.ranking else None
    assert measured is not None  # there are results of an envelope
    return Undecided(
        row.run.key,
        misclassified=int((~measured.correct).sum()),
        unfooled=int((~measured.success).sum()),
        count=len(measured.label),
    )


def _pairs(cell: Cell) -> tuple[Pair, ...]:
    differences = cell.ranking.differences.around(cell.row) if cell.ranking else ()
    return tuple(
        Pair(one.first, one.second, plain(interval(one.interval)), one.leader or "")
        for one in differences
    )


def _network(found: Archive, cell: Cell, row: Row) -> Network:
    matched = row.match.how != "unmatched"
    counted = cell.ranking.counted if cell.ranking and matched else None
    return _checkpoint(
        found,
        row.run,
        row.match.step,
        plain(matched_by(row) if matched else not_matched(row)),
        matches_path(found.root, row.match),
        audit_reasons(found.audits, counted, row) if counted else [],
    )


def _final(found: Archive, run: Run) -> Network:
    of = f" of {strength(run)}" if strength(run) else ""
    said = f"none: the final checkpoint{of}, accuracy {run.final.accuracy:.4f}"
    return _checkpoint(found, run, run.final.step, said, None, [])


def _checkpoint(
    found: Archive, run: Run, step: int, matched: str, match: Path | None, against: Sequence[str]
) -> Network:
    """Return a checkpoint; `matched`: how, in words. `against`: what the audit has against it."""
    spec, kept = run.spec, run.at(step)
    path = found.root / run.key / kept.file
    audit = found.audits.get(kept.sha256)
    return Network(
        run=run.key,
        variant=run.variant,
        seed=spec.seed,
        step=step,
        file=str(path),
        there=path.is_file(),
        weights=kept.sha256,
        matched_by=matched,
        match_record=str(match) if match else "",
        dataset=_configured(spec.dataset, spec.dataset_settings),
        data=spec.data,
        model=_configured(spec.model, spec.model_settings),
        training=trained(spec),
        settings=spec.settings,
        environment=run.environment,
        audit="; ".join([verdict([audit]), *against] if audit else against or ["not audited"]),
        audit_record=str(found.root / AUDITS / f"{audit.key}.json") if audit else "",
    )


def _configured(name: str, values: Settings) -> str:
    return f"{name} ({settings(values)})" if values else name
