"""What an end result is, apart from times and the machine: equal ends are equal here."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load

from soak.damage import APART, files

TIMES = {"seconds", "environment", "sha256"}
"""Of a record: what another run says otherwise, and the seal over it."""
COLUMN, LINE = "s/epoch", "- **Versions:**"
"""Of the page: the column of times, and the line that tells the commit."""


def outcome(folder: Path) -> dict[str, object]:
    """Return what every file under `folder` says, by its path, in a comparable form."""
    return {
        str(path.relative_to(folder)): _reader(path)(path.read_bytes())
        for path in files(folder)
        if not path.name.endswith(APART)
    }


def differing(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """Return the paths at which two outcomes differ or which one of them lacks."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _reader(path: Path) -> Callable[[bytes], object]:
    if path.parent.name == "adversarials":
        return _adversarials
    if path.name == "DONE":
        return lambda content: True
    readers = {".json": _record, ".npz": _arrays, ".csv": _table, ".md": _page}
    return readers.get(path.suffix, lambda content: hashlib.sha256(content).hexdigest())


def _record(content: bytes) -> object:
    row = json.loads(content)
    return {name: value for name, value in row.items() if name not in TIMES}


def _table(content: bytes) -> list[dict[str, str]]:
    rows = list(csv.DictReader(content.decode().splitlines()))
    return [{name: row[name] for name in row if name not in TIMES} for row in rows]


def _arrays(content: bytes) -> dict[str, tuple[Any, ...]]:
    import io

    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: _bits(archive[name]) for name in archive}


def _adversarials(content: bytes) -> dict[str, tuple[Any, ...]]:
    return {name: _bits(array) for name, array in load(content).items() if name not in TIMES}


def _bits(array: "np.ndarray[Any, Any]") -> tuple[Any, ...]:
    return (str(array.dtype), array.shape, array.tobytes())


def _page(content: bytes) -> list[list[str]]:
    """Return the cells of the page's tables, without the times, and its other lines."""
    kept, column = [], -1
    for line in content.decode().splitlines():
        cells = line.split("|")
        titles = [cell.strip() for cell in cells]
        if COLUMN in titles:
            column = titles.index(COLUMN)
        elif len(cells) == 1:
            column = -1
        if not line.startswith(LINE):
            kept.append([cell for place, cell in enumerate(cells) if place != column])
    return kept
