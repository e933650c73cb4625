"""Files written whole or not at all, and hashed; those of a mirror of a store, there too."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from robench import mirrors


def write(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` in one step, on the disk before this returns.

    In the mirror of a store, the store has it first: what is here is never ahead of it.
    """
    data = content.encode() if isinstance(content, str) else content
    put(path, data, lambda whole: mirrors.send(path, data, whole))


def put(path: Path, data: bytes, before: Callable[[Path], object]) -> os.stat_result:
    """Replace `path` in one step, on this host alone; return the state of the file.

    `before` is called with where it lies whole, before it is put in its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp makes it private
        before(Path(name))
        state = os.stat(name)
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    return state


def remove(path: Path) -> None:
    """Remove a file, if it is there; in the mirror of a store, there too."""
    path.unlink(missing_ok=True)
    mirrors.remove(path)


def check(path: Path, most: int) -> None:
    """Raise OSError for what is not an ordinary file of at most so many bytes.

    A pipe would be waited for, a device never ends, and a file may claim more than memory holds.
    In the mirror of a store, what is not here yet is fetched.
    """
    mirrors.fetch(path)
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError("not a file")
    if state.st_size > most:
        raise OSError(f"{state.st_size:,} bytes, more than the {most:,} that are read")


def read(path: Path, most: int) -> bytes:
    """Return the content of an ordinary file; OSError for what `check` refuses."""
    check(path, most)
    return path.read_bytes()


def sha256(content: bytes) -> str:
    """Return the hex SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()
