"""What a check of the audit is: one question to an evaluated checkpoint, with its threshold."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from robench.audit.case import Case
from robench.records import Family, Finding, Verdict

HALF = 0.005
"""Half a percentage point of accuracy."""


@dataclass(frozen=True)
class Reading:
    """The answer to a check, and what was measured, in words."""

    verdict: Verdict
    measured: str


Read = Callable[[Case], Reading]


@dataclass(frozen=True)
class Check:
    """One question, where it comes from, what answer passes, and what to do about another."""

    name: str
    family: Family
    source: str
    threshold: str
    remedy: str
    read: Read

    @property
    def question(self) -> str:
        """Return what is asked: the docstring of the check's function."""
        return " ".join((inspect.getdoc(self.read) or "").split())

    def finding(self, case: Case) -> Finding:
        """Ask it of one checkpoint."""
        reading = self.read(case)
        remedy = self.remedy if reading.verdict in ("warn", "fail") else ""
        return Finding(
            check=self.name,
            family=self.family,
            verdict=reading.verdict,
            measured=reading.measured,
            threshold=self.threshold,
            remedy=remedy,
        )


def check(family: Family, *, source: str, threshold: str, remedy: str) -> Callable[[Read], Check]:
    """Make a check of a function, under the function's name."""

    def made(read: Read) -> Check:
        return Check(read.__name__, family, source, threshold, remedy, read)

    return made


def verdict(*, fails: bool, warns: bool = False) -> Verdict:
    """Return the worst that applies."""
    return "fail" if fails else "warn" if warns else "pass"


def skipped(why: str) -> Reading:
    """Return the reading of a check that does not apply."""
    return Reading("skipped", why)


def slack(share: float, count: int) -> int:
    """Return how many of `count` images may behave otherwise: `share` of them, at least one.

    A share below one image would make a check fail by a rounding error.
    """
    return max(1, int(share * count))


def percent(share: float) -> str:
    """Return a fraction as it is shown."""
    return f"{100 * share:.1f} %"
