"""Files that carry the hash of their own bytes, so that no changed bit passes for a number.

A seal is `sha256:` and 64 hex digits near the end, where the file's form has room for a comment. It
covers every byte but its own digits. What older versions wrote has none and is believed.
"""

from robench.files import sha256

_TAG = b"sha256:"
BLANK = _TAG + b"0" * 64
"""Stands where the seal will be, with at most eight bytes behind it."""
_END = len(BLANK) + 8


def sealed(content: bytes) -> bytes:
    """Return `content` with its `BLANK` filled in; ValueError where there is none."""
    return _filled(content, content.rindex(BLANK) + len(_TAG))


def intact(content: bytes) -> bool:
    """Tell whether a seal fits its bytes; true where there is none."""
    tag = content.rfind(_TAG, max(0, len(content) - _END))
    return tag < 0 or _filled(content, tag + len(_TAG)) == content


def _filled(content: bytes, start: int) -> bytes:
    """Return `content` with the 64 bytes from `start` replaced by the hash of all others."""
    before, behind = content[:start], content[start + 64 :]
    return before + sha256(before + behind).encode() + behind
