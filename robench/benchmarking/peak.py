"""The most memory that a piece of work takes, beyond what was held before it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from robench.allocator import give_back

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""What Linux takes as the order to forget the peak so far (proc(5))."""
Result = TypeVar("Result")


def peak(work: Callable[[], Result], device: torch.device) -> tuple[Result, int | None]:
    """Return what `work` returns, and the bytes it took at its peak; None where that is not known.

    On a GPU the tensors' memory, elsewhere that of the whole process, known on Linux alone.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        return work(), torch.cuda.max_memory_allocated(device) - before
    give_back()
    try:
        CLEAR.write_text(RESET_PEAK)
        before = _kilobytes("VmRSS")
        return work(), 1024 * (_kilobytes("VmHWM") - before)
    except OSError:
        return work(), None


def _kilobytes(name: str) -> int:
    lines = STATUS.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
