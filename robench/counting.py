"""Which attacks count in a ranking: those that most rows were put to, and each row's adaptive ones.

One attack more on a single row must not cost that row its place, and a row must not gain one by
being attacked less.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robench.archive import EVALUATE_AGAIN, EVALUATIONS, Result
from robench.envelope import envelope, places
from robench.errors import UserError
from robench.outcomes import Outcomes
from robench.standings import Condition, Row, Standing, condition, labels
from robench.tables import target


@dataclass(frozen=True)
class Way:
    """An attack, the side it came from and the images it was run on: what rows can share."""

    condition: Condition
    white_box: bool
    images: str
    """Hash of the images."""
    count: int
    """How many they are."""


@dataclass(frozen=True, eq=False)
class Counted:
    """The attacks of one standing that count, adaptive ones aside."""

    standing: Standing
    shared: tuple[Way, ...]
    """Run on more than half of the rows that were attacked at all; in table order."""
    by_row: Mapping[Row, Mapping[Way, Result]]
    """All results of each matched row."""

    @property
    def radii(self) -> tuple[float, ...]:
        """Return the radii of the fixed-budget attacks among them, ascending."""
        found = {way.condition.radius for way in self.shared}
        return tuple(sorted(radius for radius in found if radius is not None))

    @property
    def asked(self) -> str:
        """Return the command that attacks the matches of this standing, without its options."""
        return f"robench eval --matched-accuracy {target(self.standing.target)}"

    def ways(self, row: Row) -> dict[Way, Result]:
        """Return the results of the row that count: shared ones, then its own adaptive ones."""
        own = self.by_row[row]
        shared = {way: own[way] for way in self.shared if way in own}
        return shared | {way: one for way, one in own.items() if way.condition.adaptive}

    def missing(self, row: Row, seeds: Sequence[Row]) -> tuple[Way, ...]:
        """Return what counts and was not run on the row.

        `seeds`: the rows of the same defense; an attack made for it counts for all of them.
        """
        ways = [way for other in seeds for way in self.by_row[other]]
        adaptive = [way for way in ways if way.condition.adaptive]
        own = self.by_row[row]
        return tuple(way for way in dict.fromkeys([*self.shared, *adaptive]) if way not in own)

    def envelope(self, row: Row) -> Outcomes:
        """Return the row's envelope over what counts; at least one attack is on all images.

        Raises UserError, naming the record, where outcomes are of other images than it says.
        """
        panel = next(row.whole[0].outcomes for row in self.standing.rows if row.whole)
        own = self.ways(row)
        for one in own.values():
            if places(one.outcomes, panel) is None:
                raise UserError(
                    f"the arrays of {EVALUATIONS}/{one.evaluation.key}.json are of other images "
                    f"than it says; {EVALUATE_AGAIN}"
                )
        whole = [one.outcomes for way, one in own.items() if way.count == self.standing.count]
        parts = [one.outcomes for way, one in own.items() if way.count < self.standing.count]
        return envelope(whole, parts)

    def names(self, ways: Sequence[Way]) -> list[str]:
        """Return what the ways are called, in words that are not Markdown."""
        called = labels(self.standing.conditions)
        return [called[way.condition] + self._which(way) for way in ways]

    def command(self, way: Way) -> str:
        """Return the command that ran an attack on another row, or one that would."""
        ran = [own[way] for own in self.by_row.values() if way in own]
        commands = [one.evaluation.environment.get("command", "") for one in ran]
        own = f"{self.asked} --attack {way.condition.attack.partition('@')[0]}"
        return next((one for one in commands if one.startswith("robench eval ")), own)

    def _which(self, way: Way) -> str:
        radius = "" if way.condition.radius is None else f" at {way.condition.radius:g}"
        side = "" if way.white_box else " black-box"
        part = "" if way.count == self.standing.count else f" on {way.count:,} images"
        return radius + side + part


def counted(standing: Standing) -> Counted:
    """Find the attacks that were run on more than half of the rows that were attacked at all."""
    by_row = {row: _ways(row) for row in standing.rows}
    ran = Counter(way for own in by_row.values() for way in own if not way.condition.adaptive)
    attacked = sum(bool(own) for own in by_row.values())
    order = {one: place for place, one in enumerate(standing.conditions)}
    shared = [way for way in ran if 2 * ran[way] > attacked]
    shared.sort(key=lambda way: (not way.white_box, order[way.condition], -way.count, way.images))
    return Counted(standing, tuple(shared), by_row)


def _ways(row: Row) -> Mapping[Way, Result]:
    """Return the results of a row by what makes them comparable."""
    return {
        Way(
            condition(one.evaluation),
            one.evaluation.white_box,
            one.evaluation.images,
            one.evaluation.count,
        ): one
        for one in row.results
    }
