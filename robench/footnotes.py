"""The sentences that the tables of one standing need below them."""

from collections.abc import Iterator

from robench import metrics
from robench.markdown import escape
from robench.metrics import SUFFICIENT
from robench.precision_note import precision_note
from robench.ranking import Ranking
from robench.standings import condition
from robench.tables import MARK


def footnotes(ranking: Ranking) -> list[str]:
    """Return what the marks mean, which images broke the rules, and what was searched in bf16."""
    standing = ranking.counted.standing
    notes = []
    if _marked(ranking):
        notes.append(
            f"{MARK} More than {1 - SUFFICIENT:.1%} of the correctly classified images were not "
            "fooled. rho leaves failures out and so rewards a defense that makes the "
            "attack fail: read the median, where a failure is infinitely far, and the accuracies."
        )
    for row in ranking.rows:
        for result in row.results:
            if count := result.evaluation.violations:
                notes.append(
                    f"{escape(condition(result.evaluation).name)} on {escape(row.label)}: {count} "
                    "adversarial images left the box or the radius and count as failures."
                )
    return [*notes, *precision_note(standing), *_audit_notes(ranking)]


def _marked(ranking: Ranking) -> bool:
    """Tell whether a minimal attack or an envelope fails on too much of some row."""
    rates = [
        result.success
        for row in ranking.rows
        for result in row.results
        if result.evaluation.minimal and result.evaluation.white_box
    ]
    rates += [metrics.success_rate(own) for entry in ranking.entries for own in entry.envelopes]
    return any(rate.value < SUFFICIENT for rate in rates)


def _audit_notes(ranking: Ranking) -> Iterator[str]:
    """Tell of audits what a reader of this page cannot see: fewer checks, other evaluations."""
    audited = [
        (row, audit)
        for entry in ranking.entries
        for row, audit in zip(entry.rows, entry.audits, strict=True)
        if audit is not None
    ]
    every = {one.check for _, audit in audited for one in audit.findings}
    fewer: dict[tuple[str, ...], list[str]] = {}
    unseen: list[str] = []
    for row, audit in audited:
        if lacking := every - {one.check for one in audit.findings}:
            fewer.setdefault(tuple(sorted(lacking)), []).append(row.label)
        if set(audit.evaluations) - {one.evaluation.key for one in row.results}:
            unseen.append(row.label)
    for checks, rows in fewer.items():
        yield escape(f"Audited before there was the check {', '.join(checks)}: {', '.join(rows)}.")
    if unseen:
        yield escape(f"Audited with evaluations that are not shown here: {', '.join(unseen)}.")
