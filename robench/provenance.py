"""Where a number of the leaderboard comes from, as values that can be printed or stored as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robench.archive import AUDITS, EVALUATIONS, Archive, Result, matches_path
from robench.cells import Cell, ordered
from robench.counting import Way
from robench.eligibility import audit_reasons
from robench.envelope import decided
from robench.markdown import plain
from robench.meanings import meaning, uncertainty
from robench.questions import asked, cells_of
from robench.records import Run, Settings
from robench.samples import samples_path
from robench.standings import Row, condition
from robench.summary_table import verdict
from robench.tables import EMPTY, MARK, NOT_RUN, interval, matched_by, not_matched, settings


@dataclass(frozen=True)
class Shown:
    """A number as one table shows it."""

    table: str
    column: str
    text: str


@dataclass(frozen=True)
class Network:
    """A checkpoint that a number is of, and all that was recorded of how it came to be."""

    run: str
    variant: str
    seed: int
    step: int
    file: str
    there: bool
    """Whether the weights lie there; a leaderboard folder holds none."""
    weights: str
    """SHA-256."""
    matched_by: str
    match_record: str
    dataset: str
    data: str
    """Hash of the images and labels."""
    model: str
    settings: Settings
    """Of the defense."""
    environment: Mapping[str, str]
    """Versions, commit, device and command line of the training."""
    audit: str
    """The verdict, with what it has against a rank; empty record where there is none."""
    audit_record: str


@dataclass(frozen=True)
class Measurement:
    """An evaluation that a number is computed from."""

    record: str
    run: str
    step: int
    weights: str
    attack: str
    side: str
    """white-box or black-box."""
    settings: Settings
    radius: float | None
    engine: str
    precision: str
    images: str
    """Hash of the images."""
    count: int
    violations: int
    seconds: float
    samples: str
    """File of adversarial images that were kept; empty where there is none."""
    source: str
    """Of black-box images: the run they were made on."""
    source_weights: str
    source_accuracy: float | None
    source_command: str
    environment: Mapping[str, str]
    """Versions, commit, device and command line of the evaluation."""
    decides: int | None
    """Of an envelope: the images whose least distance is of this attack, the first of several."""


@dataclass(frozen=True)
class Undecided:
    """What no attack decides in the envelope of a network."""

    run: str
    misclassified: int
    unfooled: int
    count: int


@dataclass(frozen=True)
class Pair:
    """A difference in rho_correct of the envelope between a ranked entry and another."""

    first: str
    second: str
    difference: str
    leader: str
    """Who is ahead; empty for a tie."""


@dataclass(frozen=True)
class Explanation:
    """All that stands behind one number."""

    row: str
    number: str
    dataset: str
    protocol: str
    target: float
    shown: tuple[Shown, ...]
    """In one table or two; they may differ in which attacks have a say, or leave it out."""
    meaning: str
    interval: str
    remark: str
    """Why there is no number, or what to read it with; empty where neither."""
    networks: tuple[Network, ...]
    measurements: tuple[Measurement, ...]
    undecided: tuple[Undecided, ...]
    """Of an envelope, one a network."""
    pairs: tuple[Pair, ...]
    """Of a rank."""


def explain(found: Archive, question: str, target: float | None = None) -> tuple[Explanation, ...]:
    """Return where the number comes from that a question asks for, one a table that shows it.

    See `robench.questions.asked`, also for what it raises.
    """
    return tuple(explained(found, cells) for cells in asked(cells_of(found, target), question))


def explained(found: Archive, cells: Sequence[Cell]) -> Explanation:
    """Return what stands behind cells that show the same number, one a table."""
    filled = [cell for cell in cells if cell.text != EMPTY] or list(cells)
    first = filled[0]  # the summary's, where both tables have it
    networks = {id(row): row for cell in filled for row in cell.networks}
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
        networks=tuple(_network(found, first, row) for row in networks.values()),
        measurements=tuple(
            _measurement(found, one, counts.get(key)) for key, one in results.items()
        ),
        undecided=tuple(_undecided(first, row) for row in enveloped) if results else (),
        pairs=_pairs(first) if first.metric == "rank" else (),
    )


def _remark(cell: Cell) -> str:
    """Say why a cell holds no number, or what its mark means."""
    standing = cell.ranking.counted.standing
    if cell.entry is None:
        (row,) = (row for row in standing.unmatched if row.label == cell.row)
        return plain(not_matched(row))
    if cell.text == NOT_RUN:
        return f"not run; run: {_command(cell)}"
    if cell.text == EMPTY and cell.line:
        made = "was made for its defense alone" if cell.line.condition.adaptive else "has another"
        return f"left out on purpose, as the attack {made} (docs/metrics.md, The numbers)"
    if cell.text in (EMPTY, "incomplete"):
        reasons = "; ".join(cell.entry.reasons)
        return reasons or "the envelope is of all attacks and sides, and has no such number"
    if cell.text.endswith(MARK):
        return f"{MARK} failures are left out, and they are many: read the success rate beside it"
    return ""


def _command(cell: Cell) -> str:
    """Return the command that would fill a cell."""
    counted = cell.ranking.counted
    if cell.line is None:
        return counted.asked
    one, white = cell.line.condition, cell.metric != "accuracy_black"
    known = (way for way in counted.shared if (way.condition, way.white_box) == (one, white))
    return counted.command(next(known, Way(one, white, "", 0)))


def _decided(cell: Cell, rows: Sequence[Row]) -> dict[str, int]:
    """Return how many images each evaluation decides, by its key."""
    counts: dict[str, int] = {}
    for row in rows:
        measured, own = cell.ranking.envelope(row), ordered(cell.ranking, row)
        if measured is not None:
            by = decided(measured, [one.outcomes for one in own])
            counts |= {one.evaluation.key: count for one, count in zip(own, by, strict=True)}
    return counts


def _undecided(cell: Cell, row: Row) -> Undecided:
    measured = cell.ranking.envelope(row)
    assert measured is not None  # there are results of an envelope
    return Undecided(
        row.run.key,
        misclassified=int((~measured.correct).sum()),
        unfooled=int((~measured.success).sum()),
        count=len(measured.label),
    )


def _pairs(cell: Cell) -> tuple[Pair, ...]:
    return tuple(
        Pair(one.first, one.second, plain(interval(one.interval)), one.leader or "")
        for one in cell.ranking.differences
        if cell.row in (one.first, one.second)
    )


def _network(found: Archive, cell: Cell, row: Row) -> Network:
    run, spec = row.run, row.run.spec
    kept = next(one for one in run.checkpoints if one.step == row.match.step)
    path = found.root / run.key / kept.file
    audit = found.audits.get(row.weights)
    against = audit_reasons(found.audits, cell.ranking.counted, row) if cell.entry else []
    return Network(
        run=run.key,
        variant=run.variant,
        seed=spec.seed,
        step=row.match.step,
        file=str(path),
        there=path.is_file(),
        weights=kept.sha256,
        matched_by=plain(matched_by(row) if cell.entry else not_matched(row)),
        match_record=str(matches_path(found.root, row.match)),
        dataset=_configured(spec.dataset, spec.dataset_settings),
        data=spec.data,
        model=_configured(spec.model, spec.model_settings),
        settings=spec.settings,
        environment=run.environment,
        audit="; ".join([verdict([audit]), *against] if audit else against or ["not audited"]),
        audit_record=str(found.root / AUDITS / f"{audit.key}.json") if audit else "",
    )


def _measurement(found: Archive, result: Result, decides: int | None) -> Measurement:
    one = result.evaluation
    path = found.root / EVALUATIONS / f"{one.key}.json"
    source = _source(found, one.source)
    return Measurement(
        record=str(path),
        run=one.run,
        step=one.step,
        weights=one.weights,
        attack=condition(one).name,
        side="white-box" if one.white_box else "black-box",
        settings=one.settings,
        radius=one.radius,
        engine=one.engine,
        precision=one.precision,
        images=one.images,
        count=one.count,
        violations=one.violations,
        seconds=one.seconds,
        samples=str(samples_path(path)) if samples_path(path).is_file() else "",
        source=one.source or "",
        source_weights=one.source_weights or "",
        source_accuracy=source.final.accuracy if source else None,
        source_command=source.environment.get("command", "") if source else "",
        environment=one.environment,
        decides=decides,
    )


def _source(found: Archive, key: str | None) -> Run | None:
    return (found.sources.get(key) or found.runs.get(key)) if key else None


def _configured(name: str, values: Settings) -> str:
    return f"{name} ({settings(values)})" if values else name
