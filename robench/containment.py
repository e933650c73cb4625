"""Whatever records name lies in the folder they were found in."""

import os
import stat
from pathlib import Path

from robench.errors import UserError


def contained(folder: Path, path: Path) -> Path:
    """Return `path`; UserError where it leads out of `folder`, by its name or through a link.

    `folder` itself may be a link: it is what the user named.
    """
    if os.path.dirname(path) == str(folder) and _ordinary(path):
        return path  # nothing to follow: this is most files, and ten times faster
    try:
        inside, leads = os.path.realpath(folder), os.path.realpath(path)
    except ValueError as error:  # a NUL in the name
        raise UserError(f"{path} is no file name ({error})") from None
    if leads != inside and not leads.startswith(inside.rstrip(os.sep) + os.sep):
        raise UserError(
            f"{path} leads out of {folder}, to {leads}; nothing is read or written there: copy it "
            "to where it belongs, or remove it"
        )
    return path


def _ordinary(path: Path) -> bool:
    """Tell whether a path ends in a name that is no link and leads nowhere else."""
    try:
        return path.name != ".." and not stat.S_ISLNK(os.lstat(path).st_mode)
    except (OSError, ValueError):  # not there, or a NUL in the name
        return False
