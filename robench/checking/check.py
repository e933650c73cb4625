"""What a check of a plugin is: one question, what answer passes, and how to mend another."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from robench.audit.check import Reading
from robench.records import Verdict

Case = TypeVar("Case")


class Untried(Exception):
    """Raised by what a check needs and does not have; the check is then skipped, and says why."""


@dataclass(frozen=True)
class Found:
    """What a check found, in words and numbers as they are shown."""

    check: str
    verdict: Verdict
    measured: str
    wants: str
    remedy: str


@dataclass(frozen=True)
class Check(Generic[Case]):
    """One question to a plugin, and what to do about an answer that does not pass."""

    name: str
    wants: str
    remedy: str
    read: Callable[[Case], Reading]

    def found(self, case: Case) -> Found:
        """Ask it; whatever the plugin raises is a failure, told with the line that raised it."""
        try:
            reading = self.read(case)
        except Untried as why:
            reading = Reading("skipped", str(why))
        except Exception as error:
            reading = Reading("fail", told(error))
        return Found(self.name, reading.verdict, reading.measured, self.wants, self.remedy)


def check(*, wants: str, remedy: str) -> Callable[[Callable[[Case], Reading]], Check[Case]]:
    """Make a check of a function, under the function's name."""

    def made(read: Callable[[Case], Reading]) -> Check[Case]:
        return Check(read.__name__, wants, remedy, read)

    return made


def told(error: Exception) -> str:
    """Return an error in one line, with the file and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{place}"


def passed(measured: str) -> Reading:
    """Return the reading of a check that passes."""
    return Reading("pass", measured)


def failed(measured: str) -> Reading:
    """Return the reading of a check that does not."""
    return Reading("fail", measured)
