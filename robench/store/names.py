"""Which names and sizes of objects are taken: what a store says is not trusted."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from robench.errors import UserError
from robench.runs import MOST

WEIGHTS = ".safetensors"
"""How the names of files end that are fetched only when they are asked for."""
_MOST_OF_WEIGHTS = 2**34
_LONGEST = 200
"""Bytes of a part of a name: what is written in its place first has a longer one."""


def checked(url: str, names: Iterable[str]) -> None:
    """Raise UserError where a name is no path below the store's, or two cannot both be files."""
    there = set(names)
    for name in there:
        parts = name.split("/")
        if any(_bad(part) for part in parts):
            raise UserError(
                f"{url} has an object {name!r}, which is no name of a file there; remove it, or "
                "choose another --runs"
            )
        for above in PurePosixPath(name).parents:
            if str(above) in there:
                raise UserError(f"{url} has {str(above)!r} and {name!r}: remove one of them")


def _bad(part: str) -> bool:
    odd = any(ord(letter) < 32 or letter in "\\\x7f" for letter in part)
    return part in ("", ".", "..") or odd or len(part.encode(errors="replace")) > _LONGEST


def check_size(url: str, name: str, size: int) -> None:
    """Raise UserError for what is larger than robench reads, before it is fetched."""
    most = _MOST_OF_WEIGHTS if name.endswith(WEIGHTS) else MOST
    if size > most:
        raise UserError(
            f"{url}/{name} has {size:,} bytes, more than the {most:,} that are read; remove it, or "
            "choose another --runs"
        )
