"""Choose, for every defense, the checkpoint that stands for it at one benign accuracy.

Comparing robustness is fair only where benign accuracy is equal (Section 4.2). Pure functions over
records: no weights, no attack, no rho is looked at.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from robench.errors import UserError
from robench.records import Checkpoint, Match, Run, Strength

TOLERANCE = 0.005
_ROUNDING = 1e-9
_WEAKER = 0.75
"""Share of its strength that an untried, weaker setting is proposed at."""


def match(runs: Iterable[Run], target: float, tolerance: float = TOLERANCE) -> list[Match]:
    """Return one match for each protocol, variant of a defense, and seed.

    A variant is a defense with all settings but its strength; the strengths tried compete, and one
    stands for all seeds that reach `target` with it: a mean over seeds is of one setting. That
    which most seeds reach wins, then that of which most final checkpoints are within `tolerance`,
    then that which reaches it latest in training, then the nearest, the more accurate, and the
    run's name decides. Of its run a final checkpoint within is taken, else the nearest of those
    kept along training. Where none is within, the match is `unmatched` and tells the nearest and
    what to try.

    Accuracies are fractions, on validation images. Raises UserError for a target outside (0, 1).
    """
    check_target(target, tolerance)
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.spec.protocol, run.variant), []).append(run)
    aim = _Aim(target, tolerance)
    return [one for _, group in sorted(groups.items()) for one in aim.of_variant(group)]


def check_target(target: float, tolerance: float) -> None:
    """Raise UserError for a target or a tolerance outside (0, 1)."""
    if not 0 < target < 1:
        raise UserError(f"--matched-accuracy {target:g} is not between 0 and 1; 70 % is 0.70")
    if not 0 < tolerance < 1:
        raise UserError(f"--tolerance {tolerance:g} is not between 0 and 1; the default is 0.005")


@dataclass(frozen=True)
class _Aim:
    """A benign accuracy and how far from it is near enough."""

    target: float
    tolerance: float

    def of_variant(self, runs: Sequence[Run]) -> list[Match]:
        """Return the match of each seed, all of one strength where that can be."""
        chosen = self._one_strength(runs)
        matches = []
        for seed in sorted({run.spec.seed for run in runs}):
            own = [run for run in runs if run.spec.seed == seed]
            shared = [run for run in own if run in chosen and self._within(run)]
            matches.append(self._match(own, shared or self._one_strength(own)))
        return matches

    def _one_strength(self, runs: Sequence[Run]) -> Sequence[Run]:
        """Return the runs of the strength that stands for all of them."""
        strengths: dict[float, list[Run]] = {}
        for run in runs:
            key = _value(run, run.strength) if run.strength else 0.0
            strengths.setdefault(key, []).append(run)
        return min(strengths.values(), key=self._order)

    def _order(self, runs: Sequence[Run]) -> tuple[int, int, float, float, float, str]:
        """Order strengths, the one to take first; `runs`: those of one."""
        reached = [run for run in runs if self._within(run)]
        taken = [self._taken(run) for run in reached or runs]
        latest = sum(max(one.step for one in self._within(run)) for run in reached)
        return (
            -len(reached),
            -sum(one.final for one in taken if reached),
            -latest / max(len(reached), 1),
            sum(self._off(one) for one in taken) / len(taken),
            -sum(one.accuracy for one in taken) / len(taken),
            min(one.run for one in taken),
        )

    def _match(self, runs: Sequence[Run], chosen: Sequence[Run]) -> Match:
        """Return the match of one seed; `runs`: all of it, `chosen`: those of its strength."""
        near = [run for run in chosen if self._within(run)] or list(runs)
        best = min((self._taken(run) for run in near), key=self._nearest)
        run = next(run for run in runs if run.key == best.run)
        within = self._off(best) <= self.tolerance + _ROUNDING
        return Match(
            protocol=run.spec.protocol,
            variant=run.variant,
            defense=run.spec.defense,
            seed=run.spec.seed,
            target=self.target,
            tolerance=self.tolerance,
            how=("final" if best.final else "training") if within else "unmatched",
            run=best.run,
            step=best.step,
            accuracy=best.accuracy,
            advice="" if within else self._advice(runs),
        )

    def _taken(self, run: Run) -> Checkpoint:
        """Return the checkpoint that stands for a run."""
        within = self._within(run)
        finals = [kept for kept in within if kept.final]
        return min(finals or within or run.checkpoints, key=self._nearest)

    def _within(self, run: Run) -> list[Checkpoint]:
        edge = self.tolerance + _ROUNDING
        return [kept for kept in run.checkpoints if self._off(kept) <= edge]

    def _nearest(self, kept: Checkpoint) -> tuple[float, float, int, str]:
        return (self._off(kept), -kept.accuracy, -kept.step, kept.run)

    def _advice(self, runs: Sequence[Run]) -> str:
        images = runs[0].spec.validation
        if images and 1 / images > self.tolerance:  # hardly a share lies within
            return f"try --tolerance {2 / images:.2g}, as {images} validation images tell no more"
        return _advice(runs, self.target)

    def _off(self, kept: Checkpoint) -> float:
        return round(abs(kept.accuracy - self.target), 12)


def _advice(runs: Sequence[Run], target: float) -> str:
    """Propose what to train next: between two strengths tried, or beyond the last one."""
    strength = runs[0].strength
    if strength is None:
        longest = max(run.spec.epochs for run in runs)
        below = all(run.final.accuracy < target for run in runs)
        return f"try --epochs {2 * longest}" if below else "try a smaller --rung"
    tried = sorted((_value(run, strength), run.final.accuracy) for run in runs)
    value = _between(tried, target)
    if value is None:
        raised = (tried[0][1] < target) != (strength.stronger == "up")
        value = tried[-1][0] / _WEAKER if raised else tried[0][0] * _WEAKER
    if not isinstance(runs[0].spec.settings[strength.setting], int):
        return f"try --set {strength.setting}={value:.3g}"
    whole = _whole(value, [one for one, _ in tried])
    return "try a smaller --rung" if whole is None else f"try --set {strength.setting}={whole}"


def _whole(value: float, tried: Sequence[float]) -> int | None:
    """Return the whole number next to `value`, at least 1, that was not tried."""
    near = {math.floor(value), math.ceil(value)} - set(tried)
    return min((one for one in near if one >= 1), key=lambda one: abs(one - value), default=None)


def _value(run: Run, strength: Strength) -> float:
    return float(run.spec.settings[strength.setting])


def _between(tried: Sequence[tuple[float, float]], target: float) -> float | None:
    """Interpolate the strength between two neighbours whose accuracies lie around the target."""
    for (low, before), (high, after) in pairwise(tried):
        if min(before, after) < target < max(before, after):
            return low + (high - low) * (target - before) / (after - before)
    return None
