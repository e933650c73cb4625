"""Named numpy arrays in one compressed file, read without trusting it."""

import io
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robench import files
from robench.errors import UserError

UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for a file that is no archive of arrays, or a broken one."""


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write all arrays into one compressed file, in one step."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    files.write(path, buffer.getvalue())


def load(
    path: Path, names: Collection[str], optional: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """Read the arrays called `names`, and of `optional` those that are there.

    All have as many entries. Raises UserError for anything that `save` did not write.
    """
    try:
        # From memory: numpy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            there = [name for name in optional if name in archive]
            arrays = {name: archive[name] for name in (*names, *there)}
            lengths = {len(array) for array in arrays.values()}
    except UNREADABLE as error:
        raise UserError(f"{path} cannot be read ({error}); delete it and evaluate again") from None
    if len(lengths) != 1:
        raise UserError(f"{path}: arrays of unequal length; delete it and evaluate again")
    return arrays
