"""Time spent on a device, less what is left out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Seconds spent training, less the pauses for measuring."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.started = self.looked = 0.0

    def start(self) -> None:
        """Begin at zero."""
        self.started = self.looked = self._now()

    def seconds(self) -> float:
        """Return the seconds since the start, with the device's work done."""
        return self._now() - self.started

    def due(self, seconds: float) -> bool:
        """Tell, once, that `seconds` have passed since the last time."""
        now = time.perf_counter()
        if now - self.looked < seconds:
            return False
        self.looked = now
        return True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens inside."""
        before = self._now()
        yield
        self.started += self._now() - before

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()
