"""Who is ahead: one entry a defense, ranked by the envelope over all attacks.

The rank is 1 and the number of entries that are clearly ahead in the paired bootstrap. Whether two
entries tie is asked of the two alone (`Ranking.differences`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

from robench import metrics, pooled
from robench.archive import Archive
from robench.comparison import Pairs
from robench.counting import Counted, counted
from robench.eligibility import attacks_missing, audit_reasons, insufficient
from robench.metrics import Distances, Interval
from robench.outcomes import Outcomes
from robench.pooled import Numbers
from robench.records import Audit
from robench.standings import Row, Section, Standing, sections


@dataclass(frozen=True, eq=False)
class Entry:
    """A variant of a defense, all of its training seeds together."""

    variant: str
    rows: tuple[Row, ...]
    """The matched networks, one a training seed."""
    envelopes: tuple[Outcomes, ...]
    """One a row; none at all where a row lacks an attack that counts."""
    benign: Interval | None
    numbers: Numbers | None
    """Of the envelopes, where there are any."""
    audits: tuple[Audit | None, ...]
    """One a row; None where it was not audited."""
    rank: int | None
    reasons: tuple[str, ...]
    """Why it is not ranked; not Markdown. Empty where it is."""

    @property
    def seconds_per_epoch(self) -> float:
        """Return the median over seeds."""
        return median(row.run.seconds_per_epoch for row in self.rows)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The entries of one standing and what they were ranked by."""

    counted: Counted
    entries: tuple[Entry, ...]
    """The ranked ones by rank, then by value; below them the others, by name."""
    differences: Pairs
    """Of all pairs of ranked entries, in rho_correct of the envelope."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return the matched networks in the order of the entries."""
        return tuple(row for entry in self.entries for row in entry.rows)

    @property
    def best_first(self) -> list[str]:
        """Return the names of the ranked entries."""
        return [entry.variant for entry in self.entries if entry.rank is not None]

    def envelope(self, row: Row) -> Outcomes | None:
        """Return the envelope of a row; None where it lacks an attack that counts."""
        return self._envelopes.get(row)

    def reach(self, row: Row) -> Distances:
        """Return the distances of the envelope of a row that has one."""
        return self._reach[row]

    @cached_property
    def _envelopes(self) -> dict[Row, Outcomes]:
        return {
            row: measured
            for entry in self.entries
            for row, measured in zip(entry.rows, entry.envelopes, strict=False)
        }

    @cached_property
    def _reach(self) -> dict[Row, Distances]:
        found = metrics.distances_of(list(self._envelopes.values()))
        return dict(zip(self._envelopes, found, strict=True))


def rank(standing: Standing, audits: Mapping[str, Audit]) -> Ranking:
    """Rank the matched defenses of one standing; `audits` by the SHA-256 of the weights."""
    found = counted(standing)
    groups: dict[str, list[Row]] = {}
    for row in standing.rows:
        groups.setdefault(row.match.variant, []).append(row)
    measured = {variant: _envelopes(found, rows) for variant, rows in groups.items()}
    numbers = pooled.numbers_of({name: own for name, own in measured.items() if own}, found.radii)
    entries = [
        _entry(found, rows, audits, measured[name], numbers.get(name))
        for name, rows in groups.items()
    ]
    differences = Pairs({one.variant: one.envelopes for one in entries if not one.reasons})
    return Ranking(found, tuple(_ranked(entries, differences)), differences)


def ranked(found: Archive) -> list[tuple[Section, list[Ranking]]]:
    """Return what can be compared of an archive, each section with its standings ranked."""
    return [
        (section, [rank(standing, found.audits) for standing in section.standings])
        for section in sections(found)
    ]


def _envelopes(found: Counted, rows: Sequence[Row]) -> tuple[Outcomes, ...]:
    """Return the envelope of each row; none at all where one lacks an attack that counts."""
    missing = any(attacks_missing(found, row, rows) for row in rows)
    return () if missing else tuple(found.envelope(row) for row in rows)


def _entry(
    found: Counted,
    rows: Sequence[Row],
    audits: Mapping[str, Audit],
    envelopes: tuple[Outcomes, ...],
    numbers: Numbers | None,
) -> Entry:
    missing = [attacks_missing(found, row, rows) for row in rows]
    reasons = [[reason] if reason else [] for reason in missing]
    for own, measured in zip(reasons, envelopes, strict=False):
        own += [reason for reason in [insufficient(found, measured)] if reason]
    for own, row in zip(reasons, rows, strict=True):
        own += audit_reasons(audits, found, row)
    variant = rows[0].match.variant
    attacked = [row.whole[0].outcomes for row in rows if row.whole and not numbers]
    benign = pooled.benign_accuracy(attacked, variant) if attacked else None
    return Entry(
        variant=variant,
        rows=tuple(rows),
        envelopes=envelopes,
        benign=numbers.benign if numbers else benign,
        numbers=numbers,
        audits=tuple(audits.get(row.weights) for row in rows),
        rank=None,
        reasons=_of_seeds(rows, reasons),
    )


def _of_seeds(rows: Sequence[Row], reasons: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return each reason once, and of which seeds it is where not of all."""
    seeds: dict[str, list[int]] = {}
    for row, own in zip(rows, reasons, strict=True):
        for reason in own:
            seeds.setdefault(reason, []).append(row.match.seed)
    return tuple(
        reason if len(own) == len(rows) else f"seed {', '.join(map(str, own))}: {reason}"
        for reason, own in seeds.items()
    )


def _ranked(entries: Sequence[Entry], differences: Pairs) -> list[Entry]:
    """Give the entries without a reason against it their ranks, and put all in order."""
    named = {entry.variant: entry for entry in entries if not entry.reasons}
    places = differences.ranks()
    ranked = [replace(entry, rank=places[name]) for name, entry in named.items()]
    ranked.sort(key=lambda entry: (entry.rank, -_value(entry), entry.variant))
    return [*ranked, *(entry for entry in entries if entry.reasons)]


def _value(entry: Entry) -> float:
    assert entry.numbers is not None  # a ranked entry has its envelopes
    return entry.numbers.rho_correct.value
