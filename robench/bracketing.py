"""Which strength to train next so that a final checkpoint meets an accuracy: bracket, close in.

A pure rule over what was tried, in whatever order. It works on the logarithm of the strength, and
takes the accuracy to fall as the defense grows stronger, but needs no curve to be monotone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

DIGITS = 3
"""Significant digits of a proposed strength."""
REACH = 100.0
"""Largest factor between the first strength and the last one that is tried."""
_STRIDE = (math.log(2), math.log(8))
"""Shortest and longest step beyond the last strength, in its logarithm."""
_OVERSHOOT = 1.2
"""How far past the expected place of the target to go, as its share: a bracket is worth more."""
_EDGE = 0.1
"""Share of a bracket that an interpolated strength keeps from its ends: neither stands still."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Dial:
    """The strength that a defense declares; its values are above 0."""

    start: float
    """What to try first: the default."""
    stronger: Literal["up", "down"] = "up"
    whole: bool = False
    """Takes whole numbers alone."""

    def place(self, strength: float) -> float:
        """Return where `strength` stands: its logarithm, ascending towards the stronger."""
        return math.log(strength) if self.stronger == "up" else -math.log(strength)

    def strength(self, place: float) -> float:
        """Return the strength to be tried near `place`: of few digits, or whole and at least 1."""
        value = float(f"{math.exp(place if self.stronger == 'up' else -place):.{DIGITS}g}")
        return max(1, round(value)) if self.whole else value


@dataclass(frozen=True)
class Point:
    """A strength that was tried, with the accuracy of the final checkpoint, a fraction.

    Minus infinity: too strong to be trained or taken; infinity: too weak to be taken.
    """

    strength: float
    accuracy: float


@dataclass(frozen=True)
class Verdict:
    """How a search ends.

    `matched`: `point` is within the tolerance. Otherwise it is the nearest, None where every
    strength failed, and the accuracy is above what the weakest strength reaches (`above`), below
    what the strongest one leaves (`below`), or between two strengths that nothing lies between
    (`between`).
    """

    how: Literal["matched", "above", "below", "between"]
    point: Point | None


def propose(tried: Sequence[Point], target: float, tolerance: float, dial: Dial) -> float | Verdict:
    """Return the strength to try next, never one of `tried`, or how the search ends.

    `target` and `tolerance` are fractions, the tolerance's edges included; the nearest point wins,
    then the more accurate one, as in matching. First comes the default; then ever further towards
    the target, until two neighbours lie around it; then regula falsi between them, or bisection
    where one of them failed.
    """
    if not tried:
        return dial.start
    best = min(tried, key=lambda one: (round(abs(one.accuracy - target), 12), -one.accuracy))
    if abs(best.accuracy - target) <= tolerance + _ROUNDING:
        return Verdict("matched", best)
    line = sorted(tried, key=lambda one: dial.place(one.strength))
    nearest = best if math.isfinite(best.accuracy) else None
    if all(one.accuracy < target for one in line):
        return _weaker(line, target, tolerance, dial) or Verdict("above", nearest)
    if all(one.accuracy > target for one in line):
        return _stronger(line, target, dial) or Verdict("below", nearest)
    return _between(line, target, dial) or Verdict("between", nearest)


def _weaker(line: Sequence[Point], target: float, tolerance: float, dial: Dial) -> float | None:
    ends = [one for one in line if dial.place(one.strength) <= dial.place(dial.start)][:3]
    reached = [one.accuracy for one in ends]
    # Below the default, where weakening further has stopped to pay.
    flat = len(ends) == 3 and max(reached) - min(reached) <= tolerance
    if flat and max(reached) + tolerance < target - tolerance:
        return None
    return _beyond(line, target, dial, -1)


def _stronger(line: Sequence[Point], target: float, dial: Dial) -> float | None:
    return _beyond(line[::-1], target, dial, 1)


def _beyond(line: Sequence[Point], target: float, dial: Dial, way: Literal[-1, 1]) -> float | None:
    """Return a strength past the first of `line`, or None where there is none within reach."""
    end, start = dial.place(line[0].strength), dial.place(dial.start)
    if way * (start - end) > 0:
        return dial.start
    furthest = start + way * math.log(REACH)
    place = end + way * _stride(line, target, dial, way)
    if way * (place - furthest) > 0:
        place = furthest
    value = dial.strength(place)
    return value if way * (dial.place(value) - end) > _ROUNDING else None


def _stride(line: Sequence[Point], target: float, dial: Dial, way: Literal[-1, 1]) -> float:
    """Return how far to go past the first of `line`, from the accuracies of its first two."""
    shortest, longest = _STRIDE
    if len(line) == 1 or not all(math.isfinite(one.accuracy) for one in line[:2]):
        return shortest
    last, before = line[:2]
    if way * (before.accuracy - last.accuracy) <= 0:
        return longest
    apart = abs(dial.place(last.strength) - dial.place(before.strength))
    missing = (target - last.accuracy) / (last.accuracy - before.accuracy)
    # Accuracy levels off towards the weak end and falls ever faster towards the strong one:
    # a line through both over the logarithm there, over the strength itself here.
    step = missing * apart if way < 0 else math.log1p(-missing * math.expm1(-apart))
    return min(max(_OVERSHOOT * step, shortest), longest)


def _between(line: Sequence[Point], target: float, dial: Dial) -> float | None:
    """Return a strength between two neighbours around the target, of the pair nearest to it."""

    def off(pair: tuple[Point, Point]) -> float:
        return max(abs(one.accuracy - target) for one in pair)

    sides = [(one.accuracy < target, one) for one in line]
    around = [(weak, strong) for (a, weak), (b, strong) in pairwise(sides) if a != b]
    for pair in sorted(around, key=off):
        low, high = (dial.place(one.strength) for one in pair)
        for share in (_share(*pair, target), 0.5):
            value = dial.strength(low + share * (high - low))
            if low + _ROUNDING < dial.place(value) < high - _ROUNDING:
                return value
    return None


def _share(weak: Point, strong: Point, target: float) -> float:
    if not (math.isfinite(weak.accuracy) and math.isfinite(strong.accuracy)):
        return 0.5
    share = (target - weak.accuracy) / (strong.accuracy - weak.accuracy)
    return min(max(share, _EDGE), 1 - _EDGE)
