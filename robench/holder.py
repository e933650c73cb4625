"""Which process something is of, and whether that has ended."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from robench.conformance import from_json
from robench.errors import UserError


@dataclass(frozen=True)
class Holder:
    """A process, as it is told from all others."""

    process: int
    host: str
    started: str
    """When, by the system's clock: a later process may get the same number. Empty: unknown."""
    place: str
    """Within which process numbers mean the same: this start of the system, this container."""
    expiry: float
    """Seconds without a sign of life after which it has ended, to whoever cannot see it."""

    def __str__(self) -> str:
        """Return it in words."""
        return f"process {self.process} on {self.host}"

    def as_text(self) -> str:
        """Return what `holder_of` reads."""
        return json.dumps(asdict(self))

    def ended(self) -> bool | None:
        """Tell whether the process has ended; None where that is not seen from here."""
        if self.place != _place():
            return None
        if not _exists(self.process):
            return True
        return self.started != _started(self.process)


def holder_of(text: bytes) -> Holder | None:
    """Return who wrote `text`; None where it does not say."""
    try:
        return from_json(Holder, json.loads(text))
    except (ValueError, RecursionError, UserError):
        return None


def myself(expiry: float) -> Holder:
    """Return this process."""
    number = os.getpid()
    return Holder(number, socket.gethostname(), _started(number), _place(), expiry)


@cache
def _place() -> str:
    """Return a name of this start of this system, and of this container."""
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {start} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _started(process: int) -> str:
    """Return when a process started; nothing of one that has ended and was not asked how."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return "" if state[0] in "ZX" else state[19]
    except (OSError, IndexError):
        return ""


def _exists(process: int) -> bool:
    """Tell whether there is such a process, which may be somebody else's."""
    if os.name != "posix":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
