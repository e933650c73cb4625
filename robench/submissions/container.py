"""The file of a submission: a zip in which nothing is compressed, read without trusting it.

What is not compressed cannot inflate: a submission is never larger unpacked than it is. Its names
are those that records have, each kind with the most bytes that a record of it needs.
"""

import io
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from robench import files
from robench.errors import UserError

MOST = 2**31 - 1
"""Bytes of a submission that is read; a zip of more has another form."""
MEMBERS = 20_000
"""Files in a submission, at most."""
DIRECTORY = 2**22
"""Bytes of the list of files in a zip, which is read before anything can be counted."""
RECORDS = 2**28
"""Bytes of all files together, the weights aside."""
INFLATED = 2**30
"""Bytes that the arrays of a submission come to in memory, at most."""
_NAME = r"[\w-]{1,200}"
_RUN = rf"records/(?:(?:sources|generators|imported)/)?{_NAME}"
WEIGHTS = re.compile(rf"{_RUN}/(?:rungs/)?{_NAME}\.safetensors")
LIMITS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"submission\.json"), DIRECTORY),
    (re.compile(rf"{_RUN}/(?:manifest\.json|history\.csv|checkpoints\.csv|DONE)"), 2**22),
    (re.compile(rf"records/(?:evaluations|audits)/{_NAME}\.json"), 2**20),
    (re.compile(r"records/matches/[0-9a-f]{8}-[01]\.[0-9]{4}\.json"), 2**20),
    (re.compile(rf"records/evaluations/{_NAME}(?:\.samples)?\.npz"), 2**25),
    (WEIGHTS, MOST),
)
"""What names there are, and how many bytes a file of each may have."""
_END, _COMMENT = b"PK\5\6", 2**16
"""Begins the last entry of a zip, 22 bytes and at most so many of a comment."""
_END64 = b"PK\6\7"
"""Stands 20 bytes before it where the sizes are elsewhere."""


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return a submission of these files; the same files give the same bytes.

    Raises UserError for what `unpack` would refuse.
    """
    check({name: len(content) for name, content in members.items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name)  # of 1980: no date decides the bytes
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, members[name])
    if len(content := buffer.getvalue()) > MOST:
        raise UserError(f"{len(content):,} bytes, more than the {MOST:,} that are read")
    return content


def check(sizes: Mapping[str, int]) -> None:
    """Raise UserError for a name that no file of a submission has, and for more than is read."""
    if len(sizes) > MEMBERS:
        raise UserError(f"{len(sizes):,} files, more than the {MEMBERS:,} that are read")
    for name, size in sizes.items():
        limit = next((most for form, most in LIMITS if form.fullmatch(name)), None)
        if limit is None:
            raise UserError(f"no file of a submission is called {name!r}")
        if size > limit:
            raise UserError(f"{name} has {size:,} bytes, more than the {limit:,} that are read")
    if len({name.casefold() for name in sizes}) < len(sizes):
        raise UserError("two names differ in capitals alone, which some systems take for one")
    records = sum(size for name, size in sizes.items() if not WEIGHTS.fullmatch(name))
    if records > RECORDS:
        raise UserError(f"its records have {records:,} bytes, more than {RECORDS:,}")


def unpack(path: Path, folder: Path) -> None:
    """Write the files of a submission into `folder`, and nothing outside it.

    Raises UserError, before anything is written, where there is another name, another form or more
    than is read; and for bytes that are damaged.
    """
    try:
        files.check(path, MOST)
        with path.open("rb") as file:
            for name, size in _members(file).items():
                content = _stored(file, name, size)
                files.write(folder / name, content)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except UserError as error:
        raise UserError(f"{path} is no submission: {error}") from None
    except Exception as error:  # zipfile raises a dozen kinds for bytes that are damaged
        raise UserError(f"{path} is no submission ({error})") from None


def _members(file: BinaryIO) -> dict[str, int]:
    """Return the names and sizes of all files of a zip; what is refused shows here."""
    size = file.seek(0, io.SEEK_END)
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        sizes = {entry.filename: entry.file_size for entry in entries}
        if len(sizes) < len(entries):
            raise UserError("it holds two files of one name")
        for entry in entries:
            plain = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & ~0x800
            if not plain or entry.file_size != entry.compress_size:
                raise UserError(f"{entry.filename!r} is compressed or encrypted")
        check(sizes)
        if sum(sizes.values()) > size:
            raise UserError("its files overlap")
        _check_inflated(archive)
    return sizes


def _stored(file: BinaryIO, name: str, size: int) -> bytes:
    with zipfile.ZipFile(file) as archive:
        content = archive.read(name)
    if len(content) != size:
        raise UserError(f"{name} is cut short")
    return content


def _check_inflated(archive: zipfile.ZipFile) -> None:
    """Refuse arrays that come to more in memory than is read; they alone are compressed."""
    total = 0
    for name in archive.namelist():
        if name.endswith(".npz"):
            content = io.BytesIO(archive.read(name))
            _check_directory(content)
            with zipfile.ZipFile(content) as arrays:
                total += sum(one.file_size for one in arrays.infolist())
            if total > INFLATED:
                raise UserError(f"its arrays come to more than {INFLATED:,} bytes, from {name} on")


def _check_directory(file: BinaryIO) -> None:
    """Refuse a zip whose list of files is too long, before Python reads all of it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 22 - _COMMENT - 20))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise UserError("it is no zip, or it is cut short")
    if tail[max(0, at - 20) :].startswith(_END64):
        raise UserError("it is a zip of more than 4 GB")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > DIRECTORY:
        raise UserError(f"its list of files is longer than {DIRECTORY:,} bytes")
    listed, start, comment = struct.unpack("<IIH", tail[at + 12 : at + 22])
    # Of a file cut short, the last list may be that of an .npz in it.
    if start + listed != size - len(tail) + at or len(tail) != at + 22 + comment:
        raise UserError("it is cut short, or other bytes were put to it; fetch it again")
    file.seek(0)
