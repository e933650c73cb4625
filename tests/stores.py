"""What tests of runs in a store do: be another host, copy the store, compare runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bucketing import Buckets
from robench import files, mirrors
from robench.claim import EXPIRY
from robench.holder import myself
from robench.runs import RunFolder
from test_workers import outcome


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str = "second") -> None:
    """Go on as a host whose mirrors lie under `name`; at first it has none."""
    monkeypatch.setattr(mirrors, "_KEPT", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


def made(folder: RunFolder) -> dict[str, Any]:
    """Return all that a run is made of, but for the command that made it."""
    found = outcome(folder)
    del found["manifest"]["sha256"], found["manifest"]["environment"]["command"]
    return found


def copied(buckets: Buckets, url: str, to: Path) -> Path:
    """Write all that lies in a store into a folder; return it."""
    for name, content in buckets.objects(url).items():
        files.write(to / name, content)
    return to


def foreign(expiry: float) -> bytes:
    """Return the lease of a process on another host."""
    other = replace(myself(EXPIRY), host="other", place="other", process=7, expiry=expiry)
    return f"{other.as_text()}\nmark\n".encode()
