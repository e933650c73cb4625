"""What more attacks change: the ranking on those images alone that the most attacks were run on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from robench import pooled
from robench.comparison import Pairs
from robench.counting import Way
from robench.envelope import envelope, places
from robench.metrics import Interval
from robench.outcomes import Outcomes
from robench.ranking import Entry, Ranking
from robench.standings import Row


@dataclass(frozen=True, eq=False)
class Line:
    """A ranked entry on the part of the images."""

    entry: Entry
    rank: int
    before: Interval
    """rho_correct of the envelope over the attacks that were run on all images."""
    after: Interval
    """rho_correct of the envelope over all attacks that count."""

    @property
    def lowered(self) -> float:
        """Return the share by which the further attacks lower rho_correct."""
        return 1 - self.after.value / self.before.value


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the images, under more attacks than the others."""

    count: int
    ways: tuple[Way, ...]
    """The further attacks: on these images, or on some of them."""
    lines: tuple[Line, ...]
    """By rank, then by value."""
    differences: Pairs
    """Of all pairs, in rho_correct under all attacks."""


def part_of(ranking: Ranking) -> Part | None:
    """Return the ranked entries of a ranking on the part of its images that most attacks share.

    None where all attacks were run on all images, or nothing is ranked.
    """
    counted = ranking.counted
    further = [way for way in counted.shared if way.count < counted.standing.count]
    ranked = [entry for entry in ranking.entries if entry.rank is not None]
    if not further or not ranked:
        return None
    shared = Counter((way.images, way.count) for way in further)
    images, count = max(shared, key=lambda one: (shared[one], one[1], one[0]))
    chosen = next(way for way in further if (way.images, way.count) == (images, count))
    before: dict[str, list[Outcomes]] = {}
    after: dict[str, list[Outcomes]] = {}
    for entry in ranked:
        pairs = [_both(ranking, row, chosen) for row in entry.rows]
        before[entry.variant] = [one for one, _ in pairs]
        after[entry.variant] = [other for _, other in pairs]
    differences = Pairs(after)
    place = differences.ranks()
    lines = [
        Line(one, place[one.variant], _rho(one, before[one.variant]), _rho(one, after[one.variant]))
        for one in ranked
    ]
    lines.sort(key=lambda one: (one.rank, -one.after.value, one.entry.variant))
    return Part(count, tuple(further), tuple(lines), differences)


def _both(ranking: Ranking, row: Row, chosen: Way) -> tuple[Outcomes, Outcomes]:
    """Return a network's envelopes on the part: over what was run on all images, and over all."""
    own, count = ranking.counted.ways(row), ranking.counted.standing.count
    everywhere = envelope([one.outcomes for way, one in own.items() if way.count == count])
    at = places(own[chosen].outcomes, everywhere)
    assert at is not None  # a row's parts are of its images
    return everywhere.at(at), ranking.counted.envelope(row).at(at)


def _rho(entry: Entry, networks: Sequence[Outcomes]) -> Interval:
    return pooled.numbers(networks, (), entry.variant).rho_correct
