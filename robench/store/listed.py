"""Leases where a store has no conditional puts: put one's own, and list the folder afterwards.

As on a shared folder (`robench.claim`): of two that claim at once, the one that lists last sees the
other. This needs of a store that an object is listed as soon as it was put.
"""

import os
import random
import time
from secrets import token_hex

from robench.claim import ENDING
from robench.holder import Holder
from robench.store.lease import busy, holder, living, lost, written
from robench.store.objects import Listed, Objects

_TRIES = 4
_SOON = 2.0
"""Seconds: younger ones may be of who withdraws; stores give times in whole seconds."""


class WrittenThenListed:
    """A lease of a name that no other has."""

    def __init__(self, objects: Objects, folder: str) -> None:
        """Claim `folder`; Busy where another works on it."""
        self._objects, self._folder, self._gone = objects, folder, False
        self._content = written()
        self._name = f"{folder}/.{os.getpid()}-{token_hex(8)}{ENDING}"
        self._take()

    def _take(self) -> None:
        who = None
        for _ in range(_TRIES):
            self._objects.put(self._name, self._content)
            try:
                now, others = self._others()
                alive = [(one, who) for one, lives, who in others if lives]
            except BaseException:
                self._objects.remove(self._name)
                raise
            if not alive:
                for dead, _, _ in others:
                    self._objects.remove(dead.name)
                return
            self._objects.remove(self._name)
            who = alive[0][1]
            if any(now - one.stamp > _SOON for one, _ in alive):
                break
            time.sleep(random.uniform(0.0, 0.5))
        raise busy(self._objects.url, self._folder, who)

    def _others(self) -> tuple[float, list[tuple[Listed, bool, Holder | None]]]:
        """Return the store's time, and the other leases: whether each lives, and whose it is."""
        here = self._objects.list(self._folder)
        leases = {one.name: one for one in here if _lease_of(one.name, self._folder)}
        mine = leases.pop(self._name, None)
        now = mine.stamp if mine else time.time()
        found = []
        for one in leases.values():
            if there := self._objects.get(one.name):
                lives = living(there.content, now - one.stamp)
                found.append((one, lives, holder(there.content)))
        return now, found

    def renew(self) -> None:
        """Put it anew, as long as it is there."""
        self.check()
        self._objects.put(self._name, self._content)

    def check(self) -> None:
        """Raise Lost where another process has taken the folder over."""
        if self._gone or self._objects.get(self._name) is None:
            self._gone = True
            raise lost(self._objects.url, self._folder)

    def release(self) -> None:
        """Remove it."""
        self._gone = True
        self._objects.remove(self._name)


def _lease_of(name: str, folder: str) -> bool:
    above, _, last = name.rpartition("/")
    return above == folder and last.startswith(".") and last.endswith(ENDING)
