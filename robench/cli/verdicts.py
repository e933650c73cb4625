"""What comparisons showed, in lines, and the exit code that follows."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from robench.cli.printing import say
from robench.errors import RunFailed

if TYPE_CHECKING:
    from robench.verification import Finding


def say_verdicts(found: "Iterable[Finding]", nothing: str, *, brief: bool = False) -> None:
    """Print each comparison as it is made, and in the last line what was not compared.

    `brief`: matches are counted alone. RunFailed where something does not match, and, saying
    `nothing`, where nothing was compared.
    """
    findings, left = [], []
    for one in found:
        if one.left:
            left.append(one)
            continue
        findings.append(one)
        if not (brief and one.matches):
            verdict = "match" if one.matches else f"MISMATCH in {one.differing}"
            say(f"{one.subject}: {one.compared}, {one.count} compared: {verdict}")
    if wrong := [one for one in findings if not one.matches]:
        damage = [f": {one.reason}" for one in wrong if one.reason]
        raise RunFailed(
            f"{len(wrong)} of {len(findings)} comparisons do not match their records"
            + "".join(damage[:1])
        )
    if not findings:
        raise RunFailed(nothing)
    rest = f"; not compared: {'; '.join(_reasons(left))}" if left else ""
    say(f"all {len(findings)} comparisons match{rest}")


def _reasons(left: "Iterable[Finding]") -> Iterator[str]:
    """Yield what was not compared, and why; what is so of several subjects, once."""
    subjects: dict[tuple[str, str], dict[str, None]] = {}
    for one in left:
        subjects.setdefault((one.compared, one.left), {})[one.subject] = None
    for (compared, why), (first, *others) in subjects.items():
        more = f" and {len(others)} more" if others else ""
        yield f"{compared} ({first}{more}: {why})"
