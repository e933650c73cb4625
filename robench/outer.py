"""Which robustness curve of a section lies further out."""

from dataclasses import dataclass

from robench import dominance
from robench.dominance import Dominance, Incomparable
from robench.robustness import Track, tracks
from robench.standings import Section
from robench.strengths import comparable


@dataclass(frozen=True, eq=False)
class Outer:
    """The curves of one attack, each held against each other."""

    track: Track
    pairs: tuple[Dominance | Incomparable, ...]


def outer(section: Section) -> Outer | None:
    """Compare the curves of the attack that most of them were measured with.

    Of several such attacks, the one with most strengths, then the first in table order. None where
    nothing was attacked.
    """
    found = tracks(section)
    if not found:
        return None
    track = max(found, key=lambda one: (len(one.joined), sum(map(len, one.curves.values()))))
    return Outer(track, dominance.compare(comparable(track.curves)))
