"""How long a GPU computes in a piece of work."""

from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch.profiler import ProfilerActivity, profile


class Event(Protocol):
    """One kernel, or one kind of them, as torch's profiler lists it."""

    @property
    def self_device_time_total(self) -> float:
        """Microseconds on the device, of the event itself."""


def busy(work: Callable[[], object], device: torch.device) -> float | None:
    """Do `work` and return the seconds for which `device` computes; None of a CPU.

    Under a profiler, which lengthens the work and not its kernels. In training one follows the
    other, so that their sum is the time for which any runs.
    """
    if device.type != "cuda":
        return None
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        work()
        torch.cuda.synchronize(device)
    return seconds(profiled.key_averages())


def seconds(events: Iterable[Event]) -> float:
    """Return the seconds of all `events` together."""
    return sum(event.self_device_time_total for event in events) / 1e6
