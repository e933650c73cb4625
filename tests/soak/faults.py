"""The faults, drawn by a seeded generator."""

import random
from dataclasses import dataclass
from typing import Literal

from soak.subject import SCRIPT

Kind = Literal[
    "SIGKILL", "SIGTERM", "SIGINT", "killed at a write", "full disk", "full tmpfs", "file limit",
    "bit flipped", "byte changed", "truncated", "two processes", "clock moved",
]  # fmt: skip
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
DAMAGES = ("bit flipped", "byte changed", "truncated")
SHARES: dict[Kind, int] = {
    "SIGKILL": 10,
    "SIGTERM": 8,
    "SIGINT": 10,
    "killed at a write": 10,
    "full disk": 8,
    "full tmpfs": 4,
    "file limit": 4,
    "bit flipped": 18,
    "byte changed": 9,
    "truncated": 9,
    "two processes": 6,
    "clock moved": 4,
}
"""Of a hundred faults, how many are of each kind."""


@dataclass(frozen=True)
class Fault:
    """One fault."""

    number: int
    kind: Kind
    command: int
    """The place in the script of the command it falls on or, for damaged files, after."""
    moment: float
    """Where in that command, as a share of its time, its writes or the bytes it writes; for
    damaged files: where in the file."""
    killed: bool
    """Of damaged files: whether the command was killed on its way before."""
    choice: float
    """Which file is damaged, as a share of all."""
    bit: int
    """0 to 7."""
    seed: int
    """Of the moving clock."""


def drawn(seed: int, count: int) -> list[Fault]:
    """Return `count` faults, every kind about as often as its share, in a random order.

    The first twenty hold every kind at least once.
    """
    draw = random.Random(seed)
    kinds = list(SHARES)
    rest = draw.choices(kinds, weights=list(SHARES.values()), k=max(0, count - len(kinds)))
    first = [*kinds, *rest[: 20 - len(kinds)]]
    draw.shuffle(first)
    chosen = [*first, *rest[20 - len(kinds) :]][:count]
    return [_fault(number, kind, draw) for number, kind in enumerate(chosen, start=1)]


def _fault(number: int, kind: Kind, draw: random.Random) -> Fault:
    return Fault(
        number=number,
        kind=kind,
        command=draw.randrange(len(SCRIPT)),
        moment=draw.random(),
        killed=draw.random() < 0.4,
        choice=draw.random(),
        bit=draw.randrange(8),
        seed=draw.randrange(2**32),
    )
