"""Our numbers beside the paper's: what was measured with its attack, over what its baseline had.

Absolute values depend on width, epochs and images. How many times the baseline's distance a defense
reaches depends on them less, and is what is set beside the paper's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from robench import metrics, resampling
from robench.archive import Result
from robench.metrics import RESAMPLES, Interval
from robench.outcomes import Outcomes
from robench.published import PublishedRow, Terms, row, terms
from robench.ranking import Entry, Ranking
from robench.records import Run
from robench.robustness import as_published
from robench.standings import Section


@dataclass(frozen=True, eq=False)
class Reading:
    """A variant at one target under the paper's minimal attack."""

    entry: Entry
    results: tuple[Result, ...]
    """One a training seed."""
    rho: Interval
    """Mean over seeds of the paper's Eq. 6, L2."""
    base: Entry | None
    """The baseline at this target; None where it was not matched, or not put to the attack."""
    baseline: tuple[Result, ...]
    """The same attack on it."""
    over_baseline: Interval | None
    """rho over the baseline's."""


@dataclass(frozen=True, eq=False)
class Line:
    """A variant of a defense that the paper has."""

    variant: str
    runs: tuple[Run, ...]
    """All of the variant in the section, which its cost is of."""
    paper: PublishedRow
    readings: tuple[Reading | None, ...]
    """One a target; None where the attack was not run on every seed."""

    @property
    def seconds_per_epoch(self) -> float:
        """Return the median over all runs."""
        return median(run.seconds_per_epoch for run in self.runs)


@dataclass(frozen=True, eq=False)
class Beside:
    """One section beside the paper's table."""

    terms: Terms
    baseline: PublishedRow
    rankings: tuple[Ranking, ...]
    """One a target, in its order."""
    lines: tuple[Line, ...]
    """By variant."""


def beside(section: Section, rankings: Sequence[Ranking]) -> Beside | None:
    """Return what stands beside the published table that the section's study names.

    None where it names none, and where its minimal attack was not run under its settings.
    """
    known = terms(section.published)
    base = row(section.published, known.baseline) if known else None
    if known is None or base is None:
        return None
    lines = []
    for variant in section.variants:
        runs = tuple(run for run in section.runs if run.variant == variant)
        published = row(section.published, runs[0].spec.defense)
        if published is not None:
            found = [_reading(section, one, variant, known.baseline) for one in rankings]
            lines.append(Line(variant, runs, published, tuple(found)))
    if not any(reading for line in lines for reading in line.readings):
        return None
    return Beside(known, base, tuple(rankings), tuple(lines))


def over(
    one: Sequence[Outcomes], base: Sequence[Outcomes], names: tuple[str, str]
) -> tuple[Interval, Interval]:
    """Return the mean over seeds of rho of `one`, and what it is over that of `base`.

    Images are drawn once for both sides and the seeds of each by its name, as in
    `robench.comparison`. UserError unless all were attacked on the same images.
    """
    resampling.check_same_images(dict(zip(names, (one, base), strict=True)))
    blocks = [
        np.concatenate([resampling.fooled(own, np.ones_like(own.correct)) for own in side], axis=1)
        for side in (one, base)
    ]
    totals = resampling.sums(blocks, RESAMPLES, 0)
    rho, other = (
        resampling.mean_over_seeds(total, (0, name, 0))
        for total, name in zip(totals, names, strict=True)
    )
    return resampling.interval(rho), resampling.interval(metrics.ratio(rho, other))


def _reading(section: Section, ranking: Ranking, variant: str, baseline: str) -> Reading | None:
    own = next((one for one in ranking.entries if one.variant == variant), None)
    results = _results(section, own) if own else ()
    if own is None or not results:
        return None
    bases = [one for one in ranking.entries if one.rows[0].match.defense == baseline]
    other = min(bases, key=lambda one: one.variant, default=None)
    against = _results(section, other) if other else ()
    base = other if against else None
    outcomes = [one.outcomes for one in results]
    names = (variant, base.variant if base else variant)
    rho, share = over(outcomes, [one.outcomes for one in against] or outcomes, names)
    return Reading(own, results, rho, base, against, share if base else None)


def _results(section: Section, entry: Entry) -> tuple[Result, ...]:
    """Return the paper's attack on each seed of an entry; nothing where one of them lacks it."""
    found = [
        next((own for one, own in row.white.items() if as_published(section, one)), None)
        for row in entry.rows
    ]
    return tuple(one for one in found if one) if all(found) else ()
