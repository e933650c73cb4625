"""Files whose bytes change without robench's doing."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from soak.faults import Fault

APART = (".lease", ".partial")
"""Ends of the names of files that say nothing."""


@dataclass(frozen=True)
class Damage:
    """What was done to a file."""

    path: Path
    before: bytes
    after: bytes

    def lies_in(self, folder: Path) -> list[Path]:
        """Return the files under `folder` that still hold the damaged bytes, copies too."""
        if self.path.name.endswith(APART) or self.before == self.after or self._harmless():
            return []
        return [path for path in files(folder) if path.read_bytes() == self.after]

    def _harmless(self) -> bool:
        """Tell whether a JSON file still says the same, as where 1e-05 became 1E-05."""
        if self.path.suffix != ".json":
            return False
        try:
            return bool(json.loads(self.after) == json.loads(self.before))
        except ValueError:
            return False


def files(folder: Path) -> list[Path]:
    """Return every file under `folder`, in the order of their paths."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def inflict(fault: Fault, folder: Path) -> Damage:
    """Damage one file under `folder`; every kind of file is as likely as any other."""
    kinds: dict[str, list[Path]] = {}
    for path in files(folder):
        if path.stat().st_size and path.suffix != ".lease":  # unread, it is waited for minutes
            kinds.setdefault(_kind(path.relative_to(folder)), []).append(path)
    place = fault.choice * len(kinds)
    among = kinds[sorted(kinds)[int(place)]]
    path = among[int((place % 1) * len(among))]
    before = path.read_bytes()
    after = _changed(before, fault)
    path.write_bytes(after)
    return Damage(path, before, after)


def _kind(path: Path) -> str:
    """Return the path without what tells one run, step or evaluation from another."""
    return re.sub(
        r"[0-9a-f]{8,}|\d{3,}|[a-z]+-(white|black)|-[a-z0-9_]{8}(?=\.partial)", "*", str(path)
    )


def _changed(content: bytes, fault: Fault) -> bytes:
    place = int(fault.moment * len(content))
    if fault.kind == "truncated":
        return content[:place]
    change = 1 << fault.bit if fault.kind == "bit flipped" else 1 + fault.seed % 255
    return content[:place] + bytes([content[place] ^ change]) + content[place + 1 :]
