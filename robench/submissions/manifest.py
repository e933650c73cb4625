"""What a submission says of itself; nothing of it is believed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from robench.conformance import from_json
from robench.errors import UserError
from robench.runs import as_json, read_json

MANIFEST = "submission.json"


@dataclass(frozen=True)
class Manifest:
    """What is in the file, and what it is about."""

    rows: tuple[str, ...]
    """What its matched rows are called, each with its target."""
    files: Mapping[str, str]
    """SHA-256 of every other file, by its name."""
    weights: Mapping[str, str]
    """SHA-256 of every network that was attacked or attacked with, by its name in the file.

    They are in the file, or with whoever trained them."""
    environment: Mapping[str, str]
    """Versions and command line of the call that packed it."""

    @property
    def enclosed(self) -> int:
        """Return how many of the networks are in the file."""
        return len(self.weights.keys() & self.files.keys())


def written(manifest: Manifest) -> bytes:
    """Return the manifest as JSON with a hash of its own."""
    return as_json(asdict(manifest)).encode()


def read(path: Path) -> Manifest:
    """Read what `written` returned; UserError names the file where it cannot be read."""
    content = read_json(path)
    del content["format"]
    rows = content.get("rows")
    if not isinstance(rows, list):
        raise UserError(f"{path} names no rows")
    try:
        return from_json(Manifest, {**content, "rows": tuple(rows)})
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
