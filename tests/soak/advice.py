"""An error of robench, followed as a person would follow it."""

import re
import shutil
from pathlib import Path

from soak.processes import Ended

_NAMED = re.compile(r"[^\s(),;:'`]+")


def is_clear(ended: Ended) -> bool:
    """Tell whether an error is one line with exit code 2 and no defect; with 1 of `verify`."""
    lines = ended.lines
    code = 1 if ended.words[0] == "verify" else 2
    clear = len(lines) == 1 and lines[0].startswith("Error: ") and "defect" not in lines[0]
    return clear and ended.code == code


def named(err: str, folder: Path) -> list[Path]:
    """Return the files and folders under `folder` that a message names, in its order."""
    words = (word.strip("./") for word in _NAMED.findall(err))
    paths = [folder / word for word in words if "/" in word]
    return list(dict.fromkeys(path for path in paths if path.exists()))


def follow(err: str, folder: Path) -> list[Path]:
    """Delete what the message says to delete; return what that was.

    `delete it`: the first file named; `delete both`: its .npz, too; `delete the run folder`: the
    run folder it lies in; otherwise what is named behind `delete`.
    """
    before, _, behind = err.partition("delete ")
    if not behind:
        return []
    first = named(before, folder)[:1]
    if behind.startswith("the run folder"):
        chosen = [_run_folder(path) for path in first]
    elif behind.startswith("both"):
        chosen = [path.with_suffix(suffix) for path in first for suffix in (".json", ".npz")]
    elif behind.startswith("it"):
        chosen = first
    else:
        chosen = named(behind, folder)[:1]
    for path in chosen:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return chosen


def _run_folder(path: Path) -> Path:
    """Return the run folder a file lies in: a rung lies one deeper."""
    return path if path.is_dir() else path.parents[path.parent.name == "rungs"]
