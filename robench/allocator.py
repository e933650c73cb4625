"""Memory that a pass frees, kept for the next one."""

import ctypes
import functools
import sys

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
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(bool(mallopt(option, _LARGE)) for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))
