"""Train as few models as it takes until a final checkpoint meets a benign accuracy."""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from robench.bracketing import Dial, Point, Verdict, propose
from robench.data import Data
from robench.errors import Diverged, UserError
from robench.matching import TOLERANCE
from robench.planning import Plan, Request, plan
from robench.plugins import DEFENSES
from robench.records import Epoch, Setting
from robench.runs import RunFolder, read_run, read_runs
from robench.settings import declared, text
from robench.training import described

CAP = 8
"""Trainings that one search may take."""


@dataclass(frozen=True)
class Trial:
    """One strength of the trail."""

    point: Point
    setting: str
    """The strength as it is given: `eps=0.1`."""
    state: Literal["known", "trained", "diverged", "refused"]
    """`known`: it was trained before; `refused`: the defense does not take this strength."""
    run: str
    """The run's name; empty where refused."""
    reason: str = ""


@dataclass(frozen=True)
class Begun:
    """A strength that is about to be trained."""

    setting: str
    run: str
    epochs: int


@dataclass(frozen=True)
class Outcome:
    """The end of a search."""

    matched: Trial | None
    """The run to use, its final checkpoint within the tolerance; None: not reached."""
    trained: int
    """Models trained by this call, those that diverged included."""
    reason: str
    """Where not reached: why, with the accuracies at either end of what was tried."""


Event = Begun | Epoch | Trial | Outcome


def search(
    request: Request,
    target: float,
    tolerance: float = TOLERANCE,
    cap: int = CAP,
    *,
    bar: bool = False,
) -> Iterator[Event]:
    """Search over the strength of `request`'s defense; yield the trail, the `Outcome` last.

    Finished runs of the same protocol, variant and seed come first, then at most `cap` trainings.
    `target`: of the final checkpoint on the validation images, within `tolerance`; fractions.
    What is finished stays, so that the same call goes on where the last one stopped. Raises
    UserError for a defense without a strength, a strength among the settings, numbers out of
    range, or a target that no count of validation images comes near; RunFailed for what ends a
    training other than its divergence.
    """
    setting, dial = dial_of(request)
    first = plan(_at(request, setting, dial.start))
    _check(target, tolerance, cap, len(first.data.validation))
    trials = known(first, setting)
    yield from trials
    trained = 0
    while True:
        proposed = propose([one.point for one in trials], target, tolerance, dial)
        if isinstance(proposed, Verdict) or trained == cap:
            yield _outcome(trials, proposed, trained, target, tolerance)
            return
        trial = yield from _tried(request, setting, proposed, first.data, trials, dial, bar=bar)
        trials.append(trial)
        trained += trial.state != "refused"
        yield trial


def dial_of(request: Request) -> tuple[str, Dial]:
    """Return the setting to search over, and where from and in which direction."""
    plugin = DEFENSES.get(request.defense)
    setting = plugin.cls.strength
    field = next((one for one in declared(plugin.cls) if one.name == setting), None)
    if field is None or field.kind not in (int, float):
        searchable = ", ".join(one.name for one in DEFENSES.available() if one.cls.strength)
        raise UserError(
            f"the defense {plugin.name} declares no strength to search over; match it by --epochs "
            f"or by the checkpoints along training. With a strength: {searchable or 'none'}"
        )
    if field.name in request.settings:
        raise UserError(f"{field.name} is what is searched for; leave out --set {field.name}")
    start = field.default if isinstance(field.default, int | float) and field.default > 0 else 1
    return field.name, Dial(start, plugin.cls.stronger, whole=field.kind is int)


def known(first: Plan, setting: str) -> list[Trial]:
    """Return the finished runs that differ from `first` in the strength alone, by strength."""
    like = described(first.spec, first.defense, first.data)
    found = [
        Trial(
            Point(float(run.spec.settings[setting]), run.final.accuracy),
            f"{setting}={text(run.spec.settings[setting])}",
            "known",
            run.key,
        )
        for run in (read_runs(first.root) if first.root.is_dir() else [])
        if run.spec.protocol == first.spec.protocol
        and (run.variant, run.spec.seed) == (like.variant, first.spec.seed)
    ]
    return sorted((one for one in found if one.point.strength > 0), key=lambda t: t.point.strength)


def _tried(
    request: Request,
    setting: str,
    strength: float,
    data: Data,
    trials: list[Trial],
    dial: Dial,
    *,
    bar: bool,
) -> Generator[Event, None, Trial]:
    """Train at one strength and return how it went."""
    given = f"{setting}={text(strength)}"
    try:
        wanted = plan(_at(request, setting, strength), data)
    except UserError as error:  # the rest of the request was planned before
        weakest = all(dial.place(strength) < dial.place(one.point.strength) for one in trials)
        point = Point(strength, math.inf if weakest else -math.inf)
        return Trial(point, given, "refused", "", str(error))
    yield Begun(given, wanted.spec.key, wanted.spec.epochs)
    try:
        yield from wanted.train(bar=bar)
    except Diverged as error:  # whatever else fails says nothing of the strength
        point = Point(strength, -math.inf)
        return Trial(point, given, "diverged", wanted.spec.key, str(error))
    run = read_run(RunFolder(wanted.root / wanted.spec.key).path)
    return Trial(Point(strength, run.final.accuracy), given, "trained", run.key)


def _at(request: Request, setting: str, strength: Setting) -> Request:
    return replace(request, settings={**request.settings, setting: strength})


def _check(target: float, tolerance: float, cap: int, images: int) -> None:
    if not 0 < target < 1:
        raise UserError(f"--target {target:g} is not between 0 and 1; 70 % is 0.70")
    if not 0 < tolerance < 1:
        raise UserError(f"--tolerance {tolerance:g} is not between 0 and 1; the default is 0.005")
    if cap < 1:
        raise UserError(f"--cap {cap} is not at least 1")
    nearest = round(target * images) / images
    if abs(nearest - target) > tolerance + 1e-9:
        raise UserError(
            f"of {images} validation images no share lies within {tolerance:g} of {target:g}, the "
            f"nearest is {nearest:.4f}; raise --tolerance or --validation"
        )


def _outcome(
    trials: list[Trial],
    proposed: float | Verdict,
    trained: int,
    target: float,
    tolerance: float,
) -> Outcome:
    if isinstance(proposed, Verdict) and proposed.how == "matched":
        found = [one for one in trials if one.point == proposed.point]
        return Outcome(min(found, key=lambda one: one.run), trained, "")
    why = {
        "above": "the weakest strength does not reach it",
        "below": "the strongest one still lies above it",
        "between": "nothing is left between the strengths around it",
    }
    how = why[proposed.how] if isinstance(proposed, Verdict) else f"--cap {trained} is used up"
    return Outcome(
        None,
        trained,
        f"no final checkpoint within {tolerance:g} of {target:g}: {how}. {_ends(trials, target)}",
    )


def _ends(trials: list[Trial], target: float) -> str:
    """Say the accuracy at either end of what was tried and nearest to it, and what failed."""
    line = sorted(trials, key=lambda one: one.point.strength)
    whole = [one for one in line if math.isfinite(one.point.accuracy)]
    told = [*whole[:1], *whole[-1:]]
    told += sorted(whole, key=lambda one: abs(one.point.accuracy - target))[:1]
    said = [f"{one.setting}: accuracy {one.point.accuracy:.4f}" for one in whole if one in told]
    return "; ".join([*said, *(f"{one.setting} {one.state}" for one in line if one not in whole)])
