"""Choose, for every defense, the checkpoint that stands for it at one benign accuracy.

Comparing robustness is fair only where benign accuracy is equal (Section 4.2). Pure functions over
records: no weights, no attack, no rho is looked at.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from robench.errors import UserError
from robench.records import Checkpoint, Match, Run, Strength

TOLERANCE = 0.005
_ROUNDING = 1e-9
_WEAKER = 0.75
"""Share of its strength that an untried, weaker setting is proposed at."""


def match(runs: Iterable[Run], target: float, tolerance: float = TOLERANCE) -> list[Match]:
    """Return one match for each protocol, variant of a defense, and seed.

    A variant is a defense with all settings but its strength; the strengths tried compete. Among
    the final checkpoints within `tolerance` of `target` the nearest wins, then the more accurate
    one, then the run's name decides. Only where no final checkpoint is within, those kept along
    training compete by the same rule, the later step winning a tie. Where none is within, the
    match is `unmatched` and tells the nearest and what to try.

    Accuracies are fractions, on validation images. Raises UserError for a target outside (0, 1).
    """
    if not 0 < target < 1:
        raise UserError(f"--matched-accuracy {target:g} is not between 0 and 1; 70 % is 0.70")
    if not 0 < tolerance < 1:
        raise UserError(f"--tolerance {tolerance:g} is not between 0 and 1; the default is 0.005")
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.spec.protocol, run.variant, run.spec.seed), []).append(run)
    return [_match(group, target, tolerance) for _, group in sorted(groups.items())]


def _match(runs: Sequence[Run], target: float, tolerance: float) -> Match:
    def order(kept: Checkpoint) -> tuple[float, float, int, str]:
        off = round(abs(kept.accuracy - target), 12)
        return (off, -kept.accuracy, -kept.step, kept.run)

    kept = [checkpoint for run in runs for checkpoint in run.checkpoints]
    within = [one for one in kept if abs(one.accuracy - target) <= tolerance + _ROUNDING]
    finals = [one for one in within if one.final]
    best = min(finals or within or kept, key=order)
    spec = next(run.spec for run in runs if run.key == best.run)
    return Match(
        protocol=spec.protocol,
        variant=next(run.variant for run in runs if run.key == best.run),
        defense=spec.defense,
        seed=spec.seed,
        target=target,
        tolerance=tolerance,
        how="final" if finals else "training" if within else "unmatched",
        run=best.run,
        step=best.step,
        accuracy=best.accuracy,
        advice="" if within else _advice(runs, target),
    )


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
