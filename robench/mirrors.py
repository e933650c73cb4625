"""Folders that mirror a store: what is written in one is seen there once the store has it.

Who keeps such a folder in step with its store (`robench.store`) says so here; who writes, removes
or claims something asks here, and knows no store. Names with a part that begins with a dot, such as
leases and the cache of images, are this host's alone.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

Check = Callable[[], None]
"""Raises where what was claimed is another's by now."""


class Keeper(Protocol):
    """Keeps a folder in step with a store; names are relative to both, with slashes."""

    @property
    def url(self) -> str:
        """Of the store, without a slash at its end."""

    def send(self, name: str, content: bytes, whole: Path) -> None:
        """Store a file that is about to be put in its place; `whole`: where it lies until then."""

    def remove(self, name: str) -> None:
        """Remove it from the store, if it is there."""

    def fetch(self, name: str) -> None:
        """Bring one file here, if the store has it."""

    def refresh(self, folder: str) -> None:
        """Bring what is under `folder` up to date, but for weights, which are fetched if asked."""

    def claimed(self, folder: str) -> AbstractContextManager[Check]:
        """Claim a folder in the store, and bring it up to date; Busy where it is another's."""

    def holders(self, folder: str) -> list[tuple[bytes, float]]:
        """Return the leases seen there: what each says, and seconds since it was renewed."""


_KEPT: dict[Path, Keeper] = {}


def keep(root: Path, keeper: Keeper) -> None:
    """Have `keeper` told of what happens under the folder `root`."""
    _KEPT[root] = keeper


def kept(url: str) -> Path | None:
    """Return the folder that mirrors a store, if it is kept by this process."""
    return next((root for root, keeper in _KEPT.items() if keeper.url == url), None)


def urls() -> list[str]:
    """Return the stores whose mirrors this process keeps."""
    return [keeper.url for keeper in _KEPT.values()]


def named(path: Path) -> str:
    """Return how other hosts name `path`: by its URL where it lies in a mirror."""
    for root, keeper in _KEPT.items():
        if path.is_relative_to(root):
            return "/".join([keeper.url, *path.relative_to(root).parts])
    return str(path)


def local(name: str) -> Path:
    """Return the path of what `named` returned, here."""
    for root, keeper in _KEPT.items():
        if name == keeper.url or name.startswith(f"{keeper.url}/"):
            return root / name[len(keeper.url) + 1 :]
    return Path(name)


def shown(text: str) -> str:
    """Return a text for people, in which mirrors are called by the URLs of their stores."""
    for root, keeper in _KEPT.items():
        text = text.replace(str(root), keeper.url)
    return text


def send(path: Path, content: bytes, whole: Path) -> None:
    """Store what is to become the file `path`; it lies at `whole` until then."""
    if found := _found(path):
        found[0].send(found[1], content, whole)


def sent_again(path: Path) -> None:
    """Store a file of a mirror as it is by now."""
    if found := _found(path):
        found[0].send(found[1], path.read_bytes(), path)


def remove(path: Path) -> None:
    """Remove a file from the store that its folder mirrors."""
    if found := _found(path):
        found[0].remove(found[1])


def fetch(path: Path) -> None:
    """Bring a file here that is not, if its folder mirrors a store that has it."""
    if _KEPT and not path.exists() and (found := _found(path)):
        found[0].fetch(found[1])


def refresh(path: Path) -> None:
    """Bring a folder up to date with the store it mirrors."""
    if found := _found(path):
        found[0].refresh(found[1])


@contextmanager
def claimed(folder: Path) -> Iterator[Check]:
    """Claim a folder in the store it mirrors, if it does; Busy where it is another's there."""
    if found := _found(folder):
        with found[0].claimed(found[1]) as check:
            yield check
    else:
        yield lambda: None


def holders(folder: Path) -> list[tuple[bytes, float]]:
    """Return the leases that the store has of a folder: what each says, its age in seconds."""
    found = _found(folder)
    return found[0].holders(found[1]) if found else []


def hidden(name: str) -> bool:
    """Tell whether a name is one host's alone."""
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _found(path: Path) -> tuple[Keeper, str] | None:
    """Return who keeps a file or folder, and its name there; None where nobody does."""
    for root, keeper in _KEPT.items():
        if os.path.commonpath([root, path.absolute()]) == str(root):
            name = "/".join(path.absolute().relative_to(root).parts)
            return None if hidden(name) else (keeper, name)
    return None
