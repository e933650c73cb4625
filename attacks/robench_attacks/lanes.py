"""Images attacked side by side: as one is done, the next takes its place.

A batch from which finished images are merely dropped shrinks, and a network computes few images
at a time less efficiently. Here the batch stays full until no image is left waiting.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self, TypeVar

from torch import Tensor


@dataclass
class Lanes:
    """What an attack remembers of the images in work: every field a tensor, one row an image."""

    row: Tensor
    """Which image it is, (lanes,)."""

    def __len__(self) -> int:
        """Return the number of images in work."""
        return len(self.row)

    def only(self, keep: Tensor) -> Self:
        """Return the lanes at `keep`, indices or a mask."""
        return type(self)(*(getattr(self, field.name)[keep] for field in fields(self)))

    def put(self, at: Tensor, others: Self) -> None:
        """Replace the lanes at `at` by others; no tensor is written in place."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(others, field.name)
            setattr(self, field.name, mine.index_copy(0, at, theirs))


State = TypeVar("State", bound=Lanes)


def drive(
    waiting: Tensor,
    width: int,
    start: Callable[[Tensor], State],
    advance: Callable[[State], Tensor],
    finish: Callable[[State], None],
) -> None:
    """Attack the images numbered `waiting`, (n,), at most `width` of them at a time.

    `start` makes lanes for images; `advance` moves all lanes on and tells which are done, as
    indices; `finish` is given those.
    """
    if not len(waiting):
        return
    active, waiting = start(waiting[:width]), waiting[width:]
    while len(active):
        done = advance(active)
        if not len(done):
            continue
        finish(active.only(done))
        fresh, waiting = waiting[: len(done)], waiting[len(done) :]
        if len(fresh):
            active.put(done[: len(fresh)], start(fresh))
        if len(fresh) < len(done):
            active = active.only(_without(done[len(fresh) :], active))


def _without(done: Tensor, active: Lanes) -> Tensor:
    keep = done.new_ones(len(active)).bool()
    keep[done] = False
    return keep.nonzero().squeeze(1)
