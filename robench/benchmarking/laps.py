"""Timing a defense's training, lap by lap, beside its passes and the reference's training."""

import math
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

from torch import nn

from robench.allocator import keep_freed_memory
from robench.benchmarking.busy import busy
from robench.benchmarking.pace import Pace, pace
from robench.benchmarking.peak import peak
from robench.benchmarking.trainings import Asked, Line, lap, planned
from robench.benchmarking.watch import Call, Way, watched
from robench.data import Data
from robench.learner import CLASSIFIER, Learner
from robench.planning import Plan
from robench.records import Epoch
from robench.training import autocast

COUNTED = 2
"""Steps whose passes are counted."""


@dataclass(frozen=True)
class Timed:
    """What a line's laps gave; seconds a step, medians over rounds, ratios taken within each."""

    line: Line
    seconds: float
    first: float
    """Seconds that the first lap, which is not counted, took longer: warming up, compiling."""
    passes: dict[tuple[str, Way], float]
    """A step, by network and way."""
    pace: Pace
    """Seconds of one such pass."""
    floor: float
    to_floor: float
    to_reference: float
    peak: int | None
    """Bytes; None where it cannot be known."""
    busy: float | None
    """Share of a step for which a GPU computes; None of a CPU."""


@dataclass(frozen=True)
class Round:
    """One lap, and what was measured right before it: seconds, of a step or a pass."""

    seconds: float
    reference: float
    pace: Pace


def times(lines: Sequence[Line], asked: Asked, data: Data) -> Iterator[Timed]:
    """Yield each line's times; the first line is the reference of all.

    Raises UserError, before anything is timed, for a line that cannot be trained as asked.
    """
    keep_freed_memory()
    laps = lap(data, asked)
    for line in lines:
        planned(line, asked, laps, Path())
    for line in lines:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            reference = planned(lines[0], asked, laps, root / "reference")
            yield _timed(line, planned(line, asked, laps, root / "own"), reference, asked)


def _timed(line: Line, own: Plan, reference: Plan, asked: Asked) -> Timed:
    passes, networks, calls = counted(own)
    with closing(_begun(own)) as ours, closing(_begun(reference)) as plain:
        next(plain)
        begun = time.perf_counter()
        next(ours)
        first = time.perf_counter() - begun
        device = own.data.train.x.device
        _, most = peak(lambda: next(ours), device)
        computing = busy(lambda: next(ours), device)
        rounds = [
            Round(
                reference=next(plain).seconds / asked.steps,
                pace=pace(networks, calls, own.spec.precision),
                seconds=next(ours).seconds / asked.steps,
            )
            for _ in range(asked.rounds)
        ]
    floors = [floor(passes, one.pace) for one in rounds]
    seconds = median(one.seconds for one in rounds)
    return Timed(
        line=line,
        seconds=seconds,
        first=max(0.0, first - seconds * asked.steps),
        passes=passes,
        pace={key: median(one.pace[key] for one in rounds) for key in passes},
        floor=median(floors),
        to_floor=median(one.seconds / least for one, least in zip(rounds, floors, strict=True)),
        to_reference=median(one.seconds / one.reference for one in rounds),
        peak=most,
        busy=None if computing is None else computing / (seconds * asked.steps),
    )


def _begun(planned: Plan) -> Generator[Epoch, None, None]:
    """Return its training as what can be closed: its seeds and files are then let go."""
    return cast(Generator[Epoch, None, None], planned.train())


def counted(
    planned: Plan,
) -> tuple[dict[tuple[str, Way], float], dict[str, nn.Module], dict[str, Call]]:
    """Return the passes of a step, the networks that they go through, and how those are called."""
    spec, data = planned.spec, planned.data
    device, size = data.train.x.device, spec.batch_size
    networks = {
        CLASSIFIER: planned.build(),
        **planned.defense.networks(data.shape, len(data.classes)),
    }
    learner = Learner(networks, device, spec.learning_rate, spec.ema)
    x, y = data.train.floats(slice(0, size)), data.train.y[:size]
    with watched(learner.networks) as seen, autocast(device, spec.precision):
        for _ in range(COUNTED):
            for losses in planned.defense.updates(learner.classifier, x, y):
                learner.descend(losses)
    planned.defense.mean_perturbation()  # of these steps: it is not the run's
    return seen.passes(COUNTED), learner.networks, seen.calls


def floor(passes: Mapping[tuple[str, Way], float], at: Pace) -> float:
    """Return the seconds that the passes of a step take at least."""
    return math.fsum(count * at[key] for key, count in passes.items())
