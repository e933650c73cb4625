"""Memory that a pass frees, kept for the next one."""

import ctypes
import functools
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What glibc's mallopt calls M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""
_LARGE = 2**30


@functools.cache
def keep_freed_memory() -> bool:
    """Ask the C library, once, to keep what the process frees; tell whether it does.

    By default glibc gives large blocks back to the system at once, and the next pass through a
    network has them zeroed page by page again: on a CPU a third of the time that a small network
    takes in bf16. The memory held is no more than was in use at the peak. Only with glibc.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    return all(bool(mallopt(option, _LARGE)) for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))


def give_back() -> None:
    """Give freed memory back to the system, once: what is measured after it starts from nothing."""
    if trim := _glibc("malloc_trim"):
        trim(0)


def _glibc(function: str) -> Callable[..., int] | None:
    """Return a function of the C library; None where there is another one."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), function)
    except (OSError, AttributeError):
        return None
