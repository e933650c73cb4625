"""The lease of a folder in a store: who works on it, as on a folder that hosts share.

Where the store has conditional puts it is one object, FOLDER/.lease, made if there is none. It is
renewed, and an expired one taken over, only as what it was when it was last seen, so that of
several one wins. Its age is the difference of two times that the store gave. Where there are no
such puts, each who claims puts a lease of its own and lists the folder afterwards; see
`robench.store.listed`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import Protocol

from robench import claim
from robench.claim import Busy, Lost
from robench.errors import UserError
from robench.holder import Holder, holder_of, myself
from robench.mirrors import Check
from robench.store.objects import Got, Objects

_TRIES = 4


class Lease(Protocol):
    """A lease that this process has."""

    def renew(self) -> None:
        """Put it anew."""

    def check(self) -> None:
        """Raise Lost where it is another's by now."""

    def release(self) -> None:
        """Remove it, if it is still this process's."""


@contextmanager
def held(lease: Lease) -> Iterator[Check]:
    """Renew a lease until the end, then remove it; return what checks it."""
    stop = threading.Event()
    beats = threading.Thread(target=_renew, args=(lease, stop), daemon=True)
    beats.start()
    try:
        yield lease.check
    finally:
        stop.set()
        with suppress(UserError):  # it then ends by its age
            lease.release()


def _renew(lease: Lease, stop: threading.Event) -> None:
    while not stop.wait(claim.BEAT):
        try:
            lease.renew()
        except Lost:
            return  # `check` tells
        except Exception:  # a store may come back
            continue


def written() -> bytes:
    """Return what a lease of this process's says; no two are alike."""
    return f"{myself(claim.EXPIRY).as_text()}\n{token_hex(16)}\n".encode()


def holder(content: bytes) -> Holder | None:
    """Return whose a lease is; None where it does not say."""
    return holder_of(content.partition(b"\n")[0])


def living(content: bytes, age: float) -> bool:
    """Tell whether who has a lease is at work; `age`: seconds since it was put."""
    return claim.living(holder(content), age)


def busy(url: str, folder: str, who: Holder | None) -> Busy:
    """Return the error that says who works on a folder."""
    return Busy(
        f"{url}/{folder} is being worked on by {who or 'another process'}; wait for it, end it, or "
        "choose another --runs"
    )


def lost(url: str, folder: str) -> Lost:
    """Return the error that says that a folder was taken over."""
    return Lost(
        f"{url}/{folder} was taken over by another process: this one did not renew its lease for "
        f"{claim.EXPIRY:g} s; that one goes on"
    )


class Conditional:
    """The one lease of a folder, every change of which names what it changes."""

    def __init__(self, objects: Objects, folder: str) -> None:
        """Claim `folder`; Busy where another works on it."""
        self._objects, self._folder, self._name = objects, folder, f"{folder}/.lease"
        self._content, self._changing = written(), threading.Lock()
        self._unanswered = self._content
        self._token, self._gone = self._taken(), False

    def _taken(self) -> str:
        who = None
        for _ in range(_TRIES):
            if token := self._objects.put_if(self._name, self._content, None):
                return token
            there = self._objects.get(self._name)
            if there is None:
                time.sleep(0.05)
                continue
            if there.content == self._content:
                return there.token  # it was put, and the answer was lost
            who = holder(there.content)
            if living(there.content, there.age):
                break
            if token := self._objects.put_if(self._name, self._content, there.token):
                return token
        raise busy(self._objects.url, self._folder, who)

    def renew(self) -> None:
        """Put it anew, as long as it is this process's."""
        with self._changing:
            if self._unanswered != self._content and (there := self._mine()):
                self._content, self._token = there.content, there.token
            self._unanswered = written()
            token = self._objects.put_if(self._name, self._unanswered, self._token)
            if token is None:
                there = self._mine()  # it may have been put, and the answer lost
                if there is None:
                    self._gone = True
                    raise lost(self._objects.url, self._folder)
                self._content, self._token = there.content, there.token
            else:
                self._content, self._token = self._unanswered, token

    def check(self) -> None:
        """Raise Lost where another process has taken the folder over."""
        with self._changing:
            if self._gone or self._mine() is None:
                raise lost(self._objects.url, self._folder)

    def release(self) -> None:
        """Remove it, if it is this process's. Between looking and removing lies one request."""
        with self._changing:
            if not self._gone and self._mine():
                self._objects.remove(self._name)
            self._gone = True

    def _mine(self) -> Got | None:
        """Return the lease as it is, if this process put it."""
        there = self._objects.get(self._name)
        mine = (self._content, self._unanswered)
        return there if there and there.content in mine else None
