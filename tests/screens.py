"""Terminals to run commands on, and what stands on their screens."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from threading import Thread

ESCAPE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Terminal:
    """A pseudo-terminal; what is written to it is kept."""

    def __init__(self, columns: int, lines: int) -> None:
        """Open it, so wide and high."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.file = os.fdopen(theirs, "w", encoding="utf-8", buffering=1)
        self._heard: list[bytes] = []
        self._listener = Thread(target=self._listen)
        self._listener.start()

    def close(self) -> str:
        """Return all that was written."""
        self.file.close()
        self._listener.join()
        os.close(self._ours)
        return b"".join(self._heard).decode()

    def _listen(self) -> None:
        try:
            while said := os.read(self._ours, 65536):
                self._heard.append(said)
        except OSError:
            return  # nobody has it open any more


@contextmanager
def on(terminal: Terminal, *, lines_too: bool = True) -> Iterator[None]:
    """Have what is printed go to a terminal; but for `lines_too`, standard error alone."""
    out = terminal.file if lines_too else sys.stdout
    with redirect_stdout(out), redirect_stderr(terminal.file):
        yield


def screen(said: str) -> list[str]:
    """Return the lines that stand in the end on a terminal that is high and wide enough.

    It knows what the harness needs, and asserts that nothing else was asked of it.
    """
    lines, row, at, column = [""], 0, 0, 0
    while at < len(said):
        if found := ESCAPE.match(said, at):
            mode, number, letter = found.groups()
            assert letter in ("m", "h", "l") or (mode, letter) in (("", "A"), ("", "K")), found
            row -= int(number or 1) if letter == "A" else 0
            assert row >= 0
            if letter == "K":
                assert number == "2"
                lines[row] = ""
            at = found.end()
            continue
        letter, at = said[at], at + 1
        if letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        else:
            assert letter.isprintable(), letter
            lines[row] = lines[row].ljust(column)[:column] + letter + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]
