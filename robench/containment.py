"""Whatever records name lies in the folder they were found in."""

import os
from pathlib import Path

from robench.errors import UserError


def contained(folder: Path, path: Path) -> Path:
    """Return `path`; UserError where it leads out of `folder`, by its name or through a link.

    `folder` itself may be a link: it is what the user named.
    """
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
