"""Of which objects the files of a mirror are copies, kept beside them in each folder.

FOLDER/.tokens    a line a file: its name, the token of the object, the size and time of change of
                  the copy; the last line of a name counts
"""

import json
import os
from pathlib import Path

NAME = ".tokens"
Token = tuple[str, int, int]
"""The token of an object; the size, in bytes, and time of change, in nanoseconds, of its copy."""


def note(path: Path, token: str, copy: os.stat_result) -> None:
    """Note which object a file is a copy of; a line is written in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps([path.name, token, copy.st_size, copy.st_mtime_ns]) + "\n"
    handle = os.open(path.parent / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def read(folder: Path) -> dict[str, Token]:
    """Return what was noted of the files of a folder; a line that cannot be read says nothing."""
    try:
        lines = (folder / NAME).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    found: dict[str, Token] = {}
    for line in lines:
        try:
            name, token, size, changed = json.loads(line)
            found[name] = (token, size, changed)
        except (ValueError, TypeError, RecursionError):
            continue
    return found


def current(path: Path, token: str, noted: Token | None) -> bool:
    """Tell whether the file is there, a copy of the object with `token`, and was not changed."""
    try:
        copy = path.stat()
    except OSError:
        return False
    return noted == (token, copy.st_size, copy.st_mtime_ns)
