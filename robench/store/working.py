"""Which folders of a mirror a process of this host is at work on."""

import time
from pathlib import Path, PurePosixPath

from robench.claim import leases
from robench.executors.log import LOGS


class Working:
    """Looks for leases once a folder."""

    def __init__(self, root: Path) -> None:
        """`root`: of the mirror."""
        self._root = root
        self._seen: dict[str, bool] = {}

    def on(self, name: str) -> bool:
        """Tell whether a file lies in a folder that a process is at work on, or is its log."""
        place = PurePosixPath(name)
        if place.parent.name == LOGS:
            return self._held(place.stem)
        return any(self._held(str(above)) for above in place.parents if str(above) != ".")

    def _held(self, folder: str) -> bool:
        if folder not in self._seen:
            there = leases(self._root / folder)
            self._seen[folder] = any(one.living(time.time()) for one in there)
        return self._seen[folder]
