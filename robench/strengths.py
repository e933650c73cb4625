"""The strengths of a defense: each is a point of its robustness curve, over training seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from robench import metrics
from robench.archive import Result
from robench.contents import Point
from robench.metrics import Interval
from robench.outcomes import Outcomes
from robench.records import Run
from robench.rounding import rounded, rounded_interval
from robench.tables import strength


class Measured(Protocol):
    """A run with the result of one attack on one of its checkpoints."""

    @property
    def run(self) -> Run:
        """Return what was attacked."""

    @property
    def result(self) -> Result:
        """Return what the attack came to."""


One = TypeVar("One", bound=Measured)


def by_strength(measured: Iterable[One]) -> dict[str, list[One]]:
    """Group what is of one variant by strength, the weakest first; a group's members are seeds."""

    def key(one: One) -> tuple[float, str, int]:
        return (_weakest_first(one.run), strength(one.run), one.run.spec.seed)

    groups: dict[str, list[One]] = {}
    for one in sorted(measured, key=key):
        groups.setdefault(strength(one.run), []).append(one)
    return groups


def point(variant: int, setting: str, seeds: Sequence[Measured]) -> Point:
    """Return one strength on the robustness curve: the means over `seeds` (paper, Fig. 5).

    Of one seed, the intervals are over images; of several, the extremes.
    """
    if len(seeds) == 1:
        one = seeds[0].result
        return Point(
            variant, rounded_interval(one.distances.rho), rounded_interval(one.benign), setting
        )
    rho = [metrics.rho(one.result.outcomes) for one in seeds]
    benign = [one.result.benign.value for one in seeds]
    each = tuple(zip(rounded(rho), rounded(benign), strict=True))
    return Point(variant, _mean(rho), _mean(benign), setting, each)


def comparable(
    curves: Mapping[str, Mapping[str, Sequence[Measured]]],
) -> dict[str, list[list[Outcomes]]]:
    """Return the outcomes of the curves that have two strengths or more, for `dominance.compare`.

    `curves`: by name and then by strength, as `by_strength` has them.
    """
    return {
        name: [[one.result.outcomes for one in seeds] for seeds in strengths.values()]
        for name, strengths in curves.items()
        if len(strengths) > 1
    }


def _weakest_first(run: Run) -> float:
    """Return what a run's strength is sorted by; 0 where there is none."""
    kind = run.strength
    value = run.spec.settings.get(kind.setting) if kind else None
    if kind is None or not isinstance(value, int | float):
        return 0.0
    return -value if kind.stronger == "down" else value


def _mean(values: Sequence[float]) -> Interval:
    return rounded_interval(Interval(sum(values) / len(values), min(values), max(values)))
