"""The leaderboard itself: one line a defense, the ranked ones first, then why others are not."""

from collections.abc import Sequence

from robench.markdown import escape, table
from robench.ranking import Entry, Ranking
from robench.records import Audit
from robench.tables import EMPTY, NOT_RUN, interval, mark, not_matched

HEADER = (
    "rank",
    "defense",
    "seeds",
    "images",
    "benign accuracy",
    "rho_correct, envelope",
    "rho, envelope",
    "success rate",
)
REASON = "not ranked because"


def summary(ranking: Ranking) -> str:
    """Return one line for each variant, best first, and those that are not ranked below."""
    header, lines = cells(ranking)
    if all(not line[-1] for line in lines):
        return table(header[:-1], [line[:-1] for line in lines])
    return table(header, lines)


def cells(ranking: Ranking) -> tuple[list[str], list[list[str]]]:
    """Return the header, and the cells of the entries and then of what was not matched.

    The last column holds why an entry is not ranked.
    """
    standing, radii = ranking.counted.standing, ranking.counted.radii
    header = [*HEADER, *(f"accuracy, envelope at {e:g}" for e in radii), "s/epoch", "audit"]
    lines = [_line(entry, standing.count, len(radii)) for entry in ranking.entries]
    for row in standing.unmatched:
        own = [EMPTY, escape(row.label), "1"]
        lines.append([*own, *[EMPTY] * (len(header) - len(own)), not_matched(row)])
    return [*header, REASON], lines


def _line(entry: Entry, images: int, radii: int) -> list[str]:
    name = escape(entry.variant)
    return [
        EMPTY if entry.rank is None else str(entry.rank),
        name if entry.rank is None else f"**{name}**",
        str(len(entry.rows)),
        f"{images:,}" if entry.benign else EMPTY,
        interval(entry.benign) if entry.benign else NOT_RUN,
        *_numbers(entry, radii),
        f"{entry.seconds_per_epoch:.2f}",
        escape(verdict(entry.audits)),
        escape("; ".join(entry.reasons)),
    ]


def _numbers(entry: Entry, radii: int) -> Sequence[str]:
    """Return what the envelope says; nothing where it is of fewer attacks than the others'."""
    found = entry.numbers
    if found is None:
        return [EMPTY] * (3 + radii)
    failing = mark(found.success)
    return [
        interval(found.rho_correct) + failing,
        interval(found.rho) + failing,
        interval(found.success),
        *(interval(one) for one in found.accuracy),
    ]


def verdict(found: Sequence[Audit | None]) -> str:
    """Return the worst that audits found, one a network; None: it was not audited."""
    audits = [audit for audit in found if audit is not None]
    failed = dict.fromkeys(one.check for audit in audits for one in audit.failed)
    if failed:
        return f"fail: {', '.join(failed)}"
    if len(audits) < len(found):
        return "not audited"
    warned = dict.fromkeys(one.check for audit in audits for one in audit.warnings)
    return f"warn: {', '.join(warned)}" if warned else "pass"
