"""A folder of this host's, kept in step with a store: what is written goes up before it is seen.

What is in the store counts: a file here that the store has otherwise, or not at all, is stale. Left
alone is what another process of this host is just writing: a folder that it has claimed, and files
younger than the listing.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from robench import claim, files
from robench.mirrors import Check, hidden
from robench.store import names, tokens
from robench.store.lease import Conditional, held
from robench.store.listed import WrittenThenListed
from robench.store.objects import Listed, Objects
from robench.store.s3 import S3
from robench.store.working import Working

DONE = "DONE"
AT_ONCE = 8
"""Objects that are fetched at the same time."""
_JUST = 1.0
"""Seconds: a file changed later than this before a listing may be one it does not have yet."""


class Mirror:
    """Keeps one folder in step with one store; see `robench.mirrors.Keeper`."""

    def __init__(self, root: Path, objects: Objects) -> None:
        """`root`: the folder, which only robench writes in."""
        self.root, self._objects = root, objects
        self._leases: dict[str, list[str]] = {}
        self._conditional: bool | None = None
        self._trying = threading.Lock()

    @property
    def url(self) -> str:
        """Of the store."""
        return self._objects.url

    def send(self, name: str, content: bytes, whole: Path) -> None:
        """Put a file in the store, which is about to be put in its place here."""
        token = self._objects.put(name, content)
        if token:
            tokens.note(self.root / name, token, whole.stat())

    def remove(self, name: str) -> None:
        """Remove an object."""
        self._objects.remove(name)

    def fetch(self, name: str) -> None:
        """Bring one object here, if it is there."""
        if (got := self._objects.get(name)) is None:
            return
        path = self.root / name
        now = time.time_ns()
        # The age goes with it, as plans are told by it.
        stamp = now - max(0, int(got.age * 1e9))
        copy = files.put(path, got.content, lambda whole: os.utime(whole, ns=(now, stamp)))
        tokens.note(path, got.token, copy)

    def refresh(self, folder: str) -> None:
        """Bring all but weights up to date, and forget weights that are others by now."""
        self._bring(folder, self._listed(folder), weights=False, mine=False)

    @contextmanager
    def claimed(self, folder: str) -> Iterator[Check]:
        """Claim a folder and bring it up to date: of what is not done, all, to go on with it."""
        kind = Conditional if self._has_conditions() else WrittenThenListed
        with held(kind(self._objects, folder)) as check:
            listed = self._listed(folder)
            done = any(one.name == f"{folder}/{DONE}" for one in listed)
            self._bring(folder, listed, weights=not done, mine=True)
            yield check

    def holders(self, folder: str) -> list[tuple[bytes, float]]:
        """Return the leases of a folder that was listed before: what each says, and its age."""
        found = [self._objects.get(name) for name in self._leases.get(folder, ())]
        return [(one.content, one.age) for one in found if one]

    def _has_conditions(self) -> bool:
        with self._trying:
            if self._conditional is None:
                objects = self._objects
                self._conditional = isinstance(objects, S3) and objects.honours_conditions()
            return self._conditional

    def _listed(self, folder: str) -> list[Listed]:
        """List a folder; remember its leases, and return all else that is shared."""
        found = self._objects.list(folder)
        for one in found:
            above, _, last = one.name.rpartition("/")
            if last.startswith(".") and last.endswith(claim.ENDING):
                self._leases.setdefault(above, []).append(one.name)
        return [one for one in found if not hidden(one.name)]

    def _bring(self, folder: str, listed: Sequence[Listed], *, weights: bool, mine: bool) -> None:
        """Make the files under `folder` those that were listed; `mine`: nobody else writes here."""
        started, working = time.time(), Working(self.root)

        def left(name: str) -> bool:
            return not mine and (_young(self.root / name, started) or working.on(name))

        wanted = []
        for one in self._stale(listed):
            if left(one.name):
                continue
            names.check_size(self.url, one.name, one.size)
            if weights or not one.name.endswith(names.WEIGHTS):
                wanted.append(one.name)
            else:
                (self.root / one.name).unlink(missing_ok=True)
        there = {one.name for one in listed}
        for name in self._here(folder):
            if name not in there and not left(name):
                (self.root / name).unlink(missing_ok=True)
        self._fetch_all(wanted)

    def _stale(self, listed: Sequence[Listed]) -> Iterator[Listed]:
        """Yield the objects that the files here are no copies of."""
        noted: dict[PurePosixPath, dict[str, tokens.Token]] = {}
        for one in listed:
            place = PurePosixPath(one.name)
            if place.parent not in noted:
                noted[place.parent] = tokens.read(self.root / place.parent)
            copy = noted[place.parent].get(place.name)
            if not tokens.current(self.root / one.name, one.token, copy):
                yield one

    def _here(self, folder: str) -> Iterator[str]:
        """Yield the names of the files under a folder that are shared."""
        for place, folders, own in os.walk(self.root / folder):
            folders[:] = [one for one in folders if not hidden(one)]
            for one in own:
                if not hidden(one):
                    yield Path(place, one).relative_to(self.root).as_posix()

    def _fetch_all(self, wanted: Sequence[str]) -> None:
        """Fetch objects, those last that vouch for others."""
        done = [name for name in wanted if PurePosixPath(name).name == DONE]
        rest = [name for name in wanted if PurePosixPath(name).name != DONE]
        with ThreadPoolExecutor(AT_ONCE) as crew:
            for group in (rest, done):
                for _ in crew.map(self.fetch, group):
                    pass


def _young(path: Path, started: float) -> bool:
    """Tell whether a file may have been put here since a listing began."""
    try:
        return path.stat().st_mtime > started - _JUST
    except OSError:
        return False
