"""The objects of a store, by whatever fsspec file system has them."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from robench.store import names
from robench.store.failing import told


@dataclass(frozen=True)
class Listed:
    """An object as a listing has it."""

    name: str
    size: int
    token: str
    """Differs where the content does."""
    stamp: float
    """When it was stored, in seconds, by the store's clock."""


@dataclass(frozen=True)
class Got:
    """An object with what it holds."""

    content: bytes
    token: str
    age: float
    """Seconds since it was stored; by the store's clock where the store tells what time it is."""


class Objects:
    """All objects under one URL, by their names below it. Each is put whole or not at all."""

    conditional = False
    """Whether `put_if` is there."""

    def __init__(self, url: str, files: Any, root: str) -> None:
        """`files`: the fsspec file system of `url`; `root`: what that calls it."""
        self.url, self._files, self._root = url, files, root

    def check(self) -> None:
        """Raise UserError where there is no such store, or access is refused."""
        with told(self.url):
            self._files.exists(self._root)

    def list(self, folder: str) -> list[Listed]:
        """Return the objects under a folder, or all, in order of their names, leases among them.

        Raises UserError for names that are none of files.
        """
        with told(self.url):
            self._files.invalidate_cache()
            try:
                found = self._files.find(self._path(folder), detail=True)
            except FileNotFoundError:
                found = {}
        below = f"{self._root}/"
        listed = [
            _listed(path[len(below) :], about)
            for path, about in sorted(found.items())
            if path.startswith(below) and not (path.endswith("/") and not about.get("size"))
        ]
        names.checked(self.url, [one.name for one in listed])
        return listed

    def get(self, name: str) -> Got | None:
        """Return an object; None where it is not there, UserError where it is too large."""
        with told(self.url):
            try:
                self._files.invalidate_cache()
                about = _listed(name, self._files.info(self._path(name)))
                names.check_size(self.url, name, about.size)
                content = self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return Got(content, about.token, time.time() - about.stamp)

    def put(self, name: str, content: bytes) -> str:
        """Put an object; return its token, or nothing where the store does not say."""
        with told(self.url):
            self._files.pipe_file(self._path(name), content)
        return ""

    def put_if(self, name: str, content: bytes, token: str | None) -> str | None:
        """Put an object if it is the one with `token`, or None: if there is none.

        Returns its token; None where it was refused.
        """
        raise NotImplementedError(f"{self.url} has no conditional put")

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        with told(self.url), suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


def _listed(name: str, about: Mapping[str, Any]) -> Listed:
    size = int(about.get("size") or 0)
    stamp = _stamp(about)
    token = about.get("ETag") or about.get("etag") or about.get("md5Hash") or f"{size} {stamp}"
    return Listed(name, size, str(token).strip('"'), stamp)


def _stamp(about: Mapping[str, Any]) -> float:
    said = next((about[key] for key in ("LastModified", "mtime", "created") if key in about), None)
    if isinstance(said, datetime):
        return said.timestamp()
    return float(said) if isinstance(said, int | float) else time.time()
