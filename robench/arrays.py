"""Named numpy arrays in one compressed file, read without trusting it."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench import files, sealing
from robench.errors import UserError

MOST = 2**30
"""Bytes of a file that is read, and of what its arrays inflate to."""


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write all arrays into one compressed file, in one step."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = sealing.BLANK  # the CRCs of a zip cover its arrays, not their names
    files.write(path, sealing.sealed(buffer.getvalue()))


def load(
    path: Path, kinds: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> dict[str, NDArray[Any]]:
    """Read the arrays named in `kinds`, and of those in `optional` the ones that are there.

    Each name stands with the kind of its numbers, as numpy abbreviates it (i, f, b). All arrays
    have as many entries. Raises UserError for anything that `save` did not write.
    """
    try:
        data = files.read(path, MOST)
        if not sealing.intact(data):
            raise ValueError("its bytes are not those that were written")
        content = io.BytesIO(data)  # from memory: numpy leaves a damaged file open
        _check_size(content)
        with np.load(content, allow_pickle=False) as archive:
            there = {name: kind for name, kind in (optional or {}).items() if name in archive}
            arrays = {name: archive[name] for name in (*kinds, *there)}
        _check_kinds(arrays, {**kinds, **there})
        lengths = {len(array) for array in arrays.values()}
    except Exception as error:  # numpy and zipfile raise a dozen kinds for bytes that are damaged
        raise UserError(f"{path} cannot be read ({error}); delete it and evaluate again") from None
    if len(lengths) != 1:
        raise UserError(f"{path}: arrays of unequal length; delete it and evaluate again")
    return arrays


def _check_size(content: io.BytesIO) -> None:
    """Refuse an archive that inflates to more than is read, before anything is inflated."""
    with zipfile.ZipFile(content) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST:
        raise ValueError(f"it inflates to {size:,} bytes, more than the {MOST:,} that are read")
    content.seek(0)


def _check_kinds(arrays: Mapping[str, object], kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        found = getattr(arrays[name], "dtype", "bytes")
        if getattr(found, "kind", "") != kind:
            raise ValueError(f"{name} is of {found}, not of kind {kind}")
