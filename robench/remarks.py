"""What the audits of one standing remark, in words: a line for each check and verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from robench.markdown import escape
from robench.ranking import Ranking
from robench.records import Finding


def remarks(ranking: Ranking) -> tuple[str, ...]:
    """Return what the audits warn of, or found to fail, an item a check and verdict; Markdown.

    Threshold and remedy are said once, what was measured once for all rows that it holds for.
    """
    groups: dict[Finding, dict[str, list[str]]] = {}
    for entry in ranking.entries:
        for row, audit in zip(entry.rows, entry.audits, strict=True):
            for one in (*audit.failed, *audit.warnings) if audit else ():
                rows = groups.setdefault(replace(one, measured=""), {})
                rows.setdefault(one.measured, []).append(row.label)
    return tuple(_remark(one, rows) for one, rows in groups.items())


def _remark(one: Finding, rows: Mapping[str, Sequence[str]]) -> str:
    """Return an item of a list; `rows`: what was measured, and on which rows."""
    measured = "; ".join(f"{said} on {', '.join(names)}" for said, names in rows.items())
    said = f"({one.verdict}): {measured}. Wanted: {one.threshold}. Remedy: {one.remedy}."
    return f"- **{escape(one.check)}** {escape(said)}"
