"""Data sets that torchvision reads and, on first use, downloads."""

import contextlib
import io
from pathlib import Path
from typing import Any

from robench.errors import UserError


def known(name: str) -> Any:
    """Return torchvision's class of a data set."""
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:  # the latter: built for another torch
        reason = str(error).splitlines()[0]
        raise UserError(
            f"torchvision does not import ({reason}); `robench doctor` says how to mend it"
        ) from None
    return getattr(datasets, name)


def part(kind: Any, root: Path, source: str, **which: object) -> Any:
    """Return the training or the test part under `root`, downloaded if it is not there.

    `which` says to torchvision which part it is; `source` to the user where it comes from.
    """
    with contextlib.suppress(RuntimeError):  # absent or damaged: fetch it
        return kind(root, download=False, **which)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return kind(root, download=True, **which)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{kind.__name__} is not in {root} and cannot be downloaded ({reason}); fetch "
            f"{source}, unpack it there or elsewhere and say --data-dir; --dataset digits needs "
            "no download"
        ) from None
