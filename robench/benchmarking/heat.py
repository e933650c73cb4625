"""One contestant's turn: warm up, attack on the clock, be judged like all others."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robench.attacking import Verdict, exact, judge, reproducible
from robench.benchmarking.contestant import Contestant, Subject
from robench.benchmarking.passes import Kind
from robench.errors import RunFailed
from robench.panel import Panel
from robench.stopwatch import Stopwatch

WARM = 2
"""Images attacked before the clock starts."""
SHORT, REPEATS = 1.0, 5
"""An attack done in fewer seconds is run so often in all, and its fastest run counts."""


@dataclass(frozen=True, eq=False)
class Heat:
    """What a contestant did."""

    verdict: Verdict
    seconds: float
    passes: dict[Kind, float]
    """Samples an image."""
    batch_size: int


def correct(panel: Panel, predicted: NDArray[np.int64]) -> Panel:
    """Return the images of `panel` whose prediction is right; RunFailed where none is."""
    rows = np.flatnonzero(predicted == panel.y)
    if not len(rows):
        raise RunFailed("the network classifies no image correctly: there is nothing to attack")
    return part(panel, rows)


def part(panel: Panel, rows: NDArray[np.int64]) -> Panel:
    """Return some images of a panel."""
    return Panel(panel.index[rows], panel.x[rows], panel.y[rows], panel.hash)


def run(
    contestant: Contestant,
    subject: Subject,
    panel: Panel,
    limit: float | None,
    radius: float | None,
) -> Heat:
    """Attack the images in the contestant's batches, with warm-up, and judge what comes back.

    Another batch is begun only if, at the pace so far, it ends within `limit` seconds; the first
    always is. `radius`: the norm that is allowed; None: any. Raises RunFailed where the
    contestant fails, whatever the reason.
    """
    device = next(subject.network.parameters()).device
    x, y = torch.from_numpy(panel.x).to(device), torch.from_numpy(panel.y).to(device)
    size = min(contestant.line.batch_size or len(panel), len(panel))
    try:
        with exact():
            _attack(contestant, x[:WARM], y[:WARM], size, None)
            made, seconds = _attack(contestant, x, y, size, limit)
            for _ in range(REPEATS - 1 if seconds < SHORT and len(made) == len(x) else 0):
                made, again = _attack(contestant, x, y, size, None)
                seconds = min(seconds, again)
    except Exception as error:  # whatever a stranger's attack raises
        reason = " ".join(str(error).split())
        raise RunFailed(
            f"{contestant.line.name} failed ({type(error).__name__}: {reason})"
        ) from error
    passes = contestant.tally.per_image(len(made))
    attacked = part(panel, np.arange(len(made)))
    verdict = judge(subject.network, made.float().cpu().numpy(), attacked, radius)
    return Heat(verdict, seconds, passes, size)


def _attack(
    contestant: Contestant, x: Tensor, y: Tensor, size: int, limit: float | None
) -> tuple[Tensor, float]:
    """Return what the attack made of the first images, those it had time for, and the seconds."""
    contestant.tally.samples.clear()
    clock, made, seconds, done = Stopwatch(x.device), list[Tensor](), 0.0, 0
    with reproducible():
        clock.start()
        for batch, labels in zip(x.split(size), y.split(size), strict=True):
            expected = seconds / done * (done + len(batch)) if done else 0.0
            if limit is not None and expected > limit:
                break
            attacked = contestant.run(batch, labels).detach()
            if attacked.shape != batch.shape:
                raise ValueError(f"images of shape {tuple(attacked.shape)} came back")
            made.append(attacked)
            done, seconds = done + len(batch), clock.seconds()
    return torch.cat(made), seconds
