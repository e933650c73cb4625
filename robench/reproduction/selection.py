"""Which checkpoints of a group of runs a drawing shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robench.matching import match
from robench.records import Match, Run
from robench.reproduction.recipe import Balance, Item
from robench.tables import settings, strength


@dataclass(frozen=True)
class Selected:
    """A checkpoint, what it is called and the accuracy it was matched at."""

    run: Run
    step: int
    label: str
    target: float | None = None


def select(item: Item, runs: Sequence[Run], tolerance: float) -> tuple[list[Selected], list[Match]]:
    """Return the checkpoints that `item` shows, and what reached no match."""
    if item.match is not None:
        return _matched(item, item.match, runs, tolerance)
    if item.moments:
        return [one for run in runs for one in _along(item, run)], []
    return [Selected(run, run.final.step, label(item, run)) for run in runs], []


def label(item: Item, run: Run) -> str:
    """Return what a run is called in the drawing: its variant, its strength, or one setting."""
    if item.label == "variant":
        return run.variant
    if item.label == "strength":
        return strength(run) or run.variant
    owner, _, key = item.label.rpartition(".")
    values = {
        "": run.spec.settings,
        "model": run.spec.model_settings,
        "dataset": run.spec.dataset_settings,
    }.get(owner, {})
    return settings({key: values[key]}) if key in values else run.variant


def target_of(balance: Balance, runs: Iterable[Run]) -> float | None:
    """Return the mean final accuracy of the defense that others are balanced to."""
    finals = [run.final.accuracy for run in runs if run.spec.defense == balance.to]
    return sum(finals) / len(finals) if finals else None


def _matched(
    item: Item, balance: Balance, runs: Sequence[Run], tolerance: float
) -> tuple[list[Selected], list[Match]]:
    top = target_of(balance, runs)
    by_key = {run.key: run for run in runs}
    selected: list[Selected] = []
    unmatched: list[Match] = []
    for below in balance.below if top is not None else ():
        assert top is not None
        target = round(top - below, 4)
        for found in match(runs, target, tolerance):
            run = by_key[found.run]
            if found.how == "unmatched":
                unmatched.append(found)
            else:
                selected.append(Selected(run, found.step, label(item, run), target))
    return selected, unmatched


def _along(item: Item, run: Run) -> list[Selected]:
    """Return the kept checkpoints nearest to evenly spread moments of training."""
    span = run.spec.epochs / item.moments
    nearest = [
        min(run.checkpoints, key=lambda kept: abs(kept.epoch - span * place))
        for place in range(1, item.moments + 1)
    ]
    steps = sorted({kept.step for kept in nearest})
    return [Selected(run, step, label(item, run)) for step in steps]
