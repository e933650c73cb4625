"""How much a page shows at once: what a reader can take in, and what grows faster than the rows.

Smaller boards are shown whole. Of larger ones, tables of rows stay whole, and are for searching;
figures show the best, and of all pairs of rows those that a ranking is read by.
"""

from collections.abc import Sequence
from itertools import pairwise

from robench.comparison import Difference, Pairs

MOST = 12
"""Defenses in one figure: colours, dashes and markers begin to repeat each other."""
WHOLE = 24
"""Rows of which all pairs are listed."""


def pairs_of(differences: Pairs, ranked: Sequence[str]) -> list[Difference]:
    """Return the pairs to show: all of up to `WHOLE` rows, else each with the first and the next.

    `ranked`: the rows' names, best first, as `Ranking.best_first` has them.
    """
    if len(differences.names) <= WHOLE:
        return list(differences)
    place = {name: at for at, name in enumerate(differences.names)}
    first = [(ranked[0], name) for name in ranked[1:]]
    shown = dict.fromkeys([*first, *pairwise(ranked)])
    # Turned as in the whole list, where `robench explain` looks for them.
    return [differences.of(*sorted(pair, key=place.__getitem__)) for pair in shown]


def left_out(differences: Pairs) -> str:
    """Return what `pairs_of` leaves out and how to ask for it; nothing where that is nothing."""
    if len(differences.names) <= WHOLE:
        return ""
    return (
        f"Shown of the {len(differences):,} pairs: each defense against the first of the ranking, "
        'and against the next. Ask for another: `robench explain "ROW - ROW difference"`.'
    )


def some(count: int) -> str:
    """Return what a figure's title ends with that shows the first `MOST` of `count` defenses."""
    return f", the first {MOST} of {count:,}" if count > MOST else ""
