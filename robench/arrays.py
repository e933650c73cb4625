"""Named numpy arrays in one compressed file, read without trusting it."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from robench import files, sealing
from robench.errors import UserError

MOST = 2**30
"""Bytes of a file that is read, and of what its arrays inflate to."""
_MAGIC = npy.magic(1, 0)
_LOCAL = struct.Struct("<4s2xHH16xHH")
"""What precedes a file in a zip: signature, flags, method, lengths of its name and of extras."""
_ENCRYPTED = 1


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
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_size(archive)
            there = {name: kind for name, kind in (optional or {}).items() if _holds(archive, name)}
            members = {name: archive.getinfo(f"{name}.npy") for name in (*kinds, *there)}
        arrays = {name: _array(_inflated(data, one)) for name, one in members.items()}
        _check_kinds(arrays, {**kinds, **there})
        lengths = {len(array) for array in arrays.values()}
    except Exception as error:  # numpy and zipfile raise a dozen kinds for bytes that are damaged
        raise UserError(f"{path} cannot be read ({error}); delete it and evaluate again") from None
    if len(lengths) != 1:
        raise UserError(f"{path}: arrays of unequal length; delete it and evaluate again")
    return arrays


def _check_size(archive: zipfile.ZipFile) -> None:
    """Refuse an archive that inflates to more than is read, before anything is inflated."""
    size = sum(member.file_size for member in archive.infolist())
    if size > MOST:
        raise ValueError(f"it inflates to {size:,} bytes, more than the {MOST:,} that are read")


def _holds(archive: zipfile.ZipFile, name: str) -> bool:
    return f"{name}.npy" in archive.NameToInfo


def _inflated(data: bytes, member: zipfile.ZipInfo) -> bytes:
    """Return a file of a zip as `zipfile` does, in a third of its time; ValueError for damage."""
    start = member.header_offset
    signature, flags, method, name, extra = _LOCAL.unpack_from(data, start)
    start += _LOCAL.size
    known = method == member.compress_type and method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if signature != b"PK\3\4" or not known or flags & _ENCRYPTED:
        raise ValueError(f"{member.filename} is not stored as robench stores it")
    if data[start : start + name] != member.filename.encode():
        raise ValueError(f"{member.filename} has two names")
    start += name + extra
    content = data[start : start + member.compress_size]
    if method == zipfile.ZIP_DEFLATED:  # to one byte more at most: a size that lies is no bomb
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, member.file_size + 1)
    if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
        raise ValueError(f"{member.filename} is damaged (CRC-32)")
    return content


def _array(content: bytes) -> NDArray[Any]:
    """Return the array of one .npy file; ValueError for what is none.

    `numpy.load` parses the header anew for each array, which takes longer than all else of it.
    """
    if content[:8] != _MAGIC:
        raise ValueError("not an array of numbers that robench wrote")
    end = 10 + int.from_bytes(content[8:10], "little")
    shape, fortran, dtype = _header(content[8:end])
    if dtype.hasobject:
        raise ValueError("objects are not read, as with allow_pickle=False")
    flat = np.frombuffer(content, dtype, offset=end).copy()  # which may be written to
    return flat.reshape(shape, order="F" if fortran else "C")


@lru_cache(maxsize=1024)
def _header(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and numbers; most files say the same."""
    shape, fortran, dtype = npy.read_array_header_1_0(io.BytesIO(content))
    return shape, fortran, dtype


def _check_kinds(arrays: Mapping[str, object], kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        found = getattr(arrays[name], "dtype", "bytes")
        if getattr(found, "kind", "") != kind:
            raise ValueError(f"{name} is of {found}, not of kind {kind}")
