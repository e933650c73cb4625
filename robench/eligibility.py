"""Why a row may not be ranked: attacks missing or too weak, no audit, or one that failed."""

from collections.abc import Mapping, Sequence

from robench import metrics
from robench.counting import Counted
from robench.metrics import SUFFICIENT
from robench.outcomes import Outcomes
from robench.records import Audit
from robench.standings import Row

AUDIT = "run: robench audit"


def attacks_missing(counted: Counted, row: Row, seeds: Sequence[Row]) -> str:
    """Return which of the attacks that count a row lacks, and the command; nothing if none.

    `seeds`: the rows of the same defense, this one included. Not Markdown.
    """
    if not row.results:
        return f"not attacked; run: {counted.asked}"
    missing = counted.missing(row, seeds)
    if missing:
        commands = list(dict.fromkeys(counted.command(way) for way in missing))
        return f"not attacked by {', '.join(counted.names(missing))}; run: {' and '.join(commands)}"
    if not any(way.count == counted.standing.count for way in counted.ways(row)):
        return f"no attack was run on more than half of the rows; run: {counted.asked}"
    return ""


def insufficient(counted: Counted, measured: Outcomes) -> str:
    """Return that the envelope leaves too much out of rho_correct; nothing where it does not."""
    success = metrics.success_rate(measured).value
    if success >= SUFFICIENT:
        return ""
    if not measured.correct.any():
        return "no image is classified correctly"
    return (
        f"the envelope fails on {1 - success:.1%} of the correctly classified images (at most "
        f"{1 - SUFFICIENT:.1%} may be left out of rho_correct); "
        f"run: {counted.asked} --preset strong"
    )


def audit_reasons(audits: Mapping[str, Audit], counted: Counted, row: Row) -> list[str]:
    """Return what the audit of a row has against its being ranked. Not Markdown.

    `audits`: by the SHA-256 of the weights.
    """
    audit = audits.get(row.weights)
    if audit is None:
        return [f"not audited; {AUDIT}"]
    reasons = [
        f"audit: {one.check} failed ({one.measured}, wanted {one.threshold})"
        for one in audit.failed
    ]
    ranked_by = {one.evaluation.key for one in counted.ways(row).values()}
    if not ranked_by <= set(audit.evaluations):
        reasons.append(f"attacked since its audit; {AUDIT}")
    return reasons
