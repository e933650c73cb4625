"""Train one run: the loop over epochs and steps."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from robench import progress as stored
from robench import runs
from robench.augment import augmented
from robench.data import Data, Split
from robench.defense import Defense
from robench.environment import describe
from robench.errors import RunFailed
from robench.ladder import Ladder
from robench.learner import CLASSIFIER, Learner
from robench.progress import Progress
from robench.records import Checkpoint, Epoch, Run, RunSpec, Strength, digest
from robench.runs import RunFolder
from robench.settings import differing

REFRESH = 1.0
"""Seconds between looks at the loss; each look waits for the device."""


def train(
    spec: RunSpec,
    defense: Defense,
    build: Callable[[], nn.Module],
    data: Data,
    root: Path,
    *,
    frozen: Checkpoint | None = None,
    bar: bool = False,
) -> Iterator[Epoch]:
    """Train the run that `spec` describes under `root`, yielding each epoch once it is stored.

    `build` makes the classifier; `data` lies on the device to train on. A finished run yields
    nothing, an interrupted one goes on after its last stored epoch. Raises RunFailed where the
    loss diverges; the last good epoch stays.

    `frozen`: the checkpoint that `build` returns. The classifier then stays as it is, and only
    the networks that the defense trains beside it are trained, recorded and kept.
    """
    folder = RunFolder(root / spec.key)
    if folder.manifest.exists():
        runs.read_json(folder.manifest)  # refuses to touch what a newer robench wrote
    if folder.done.exists():
        folder.state.unlink(missing_ok=True)  # left where the run was killed right after DONE
        return
    device = data.train.x.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derived_seed(spec.seed, "networks"))
        networks = {CLASSIFIER: build(), **defense.networks(data.shape, len(data.classes))}
        fixed = (CLASSIFIER,) if frozen else ()
        learner = Learner(networks, device, spec.learning_rate, spec.ema, fixed)
        so_far, clock, steps = Progress(), Stopwatch(device), steps_per_epoch(spec, data)
        keep = stored.keeper(folder, spec, steps, so_far)
        ladder = Ladder(spec.rung, _measure(spec, data.validation, clock, frozen), keep)
        runs.write_manifest(folder, described(spec, defense, data))
        stored.resume(folder, spec, learner, ladder, so_far)
        for number in range(len(so_far.history) + 1, spec.epochs + 1):
            torch.manual_seed(derived_seed(spec.seed, number))
            row = _epoch(number, spec, defense, data, learner, ladder, clock, bar=bar)
            so_far.history.append(row)
            stored.store(folder, spec, learner, ladder, so_far)
            yield row
        stored.finish(folder, spec, learner, steps, so_far)


def derived_seed(seed: int, part: int | str) -> int:
    """Return the seed of one part of a run; resuming then needs no generator's state."""
    return int(digest([seed, part], 15), 16)


def steps_per_epoch(spec: RunSpec, data: Data) -> int:
    """Return the number of batches; the last may be smaller."""
    return math.ceil(len(data.train) / spec.batch_size)


def described(spec: RunSpec, defense: Defense, data: Data) -> Run:
    """Return the run's records as they are before its first epoch."""
    rest = differing(defense, but=defense.strength)
    return Run(
        spec=spec,
        variant=f"{spec.defense} ({rest})" if rest else spec.defense,
        strength=Strength(defense.strength, defense.stronger) if defense.strength else None,
        classes=len(data.classes),
        shape=data.shape,
        environment=describe(data.train.x.device),
        history=(),
        checkpoints=(),
    )


@torch.no_grad()
def accuracy(network: nn.Module, split: Split, precision: str = "float32") -> float:
    """Return the share of `split` that `network` classifies correctly."""
    right = torch.zeros((), dtype=torch.int64, device=split.y.device)
    with autocast(split.y.device, precision):
        for x, y in split.batches(500):
            right += (network(x).argmax(dim=1) == y).sum()
    return int(right) / len(split)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context that training and its measuring run in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class Stopwatch:
    """Seconds spent training, less the pauses for measuring."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.started = self.looked = 0.0

    def start(self) -> None:
        """Begin at zero."""
        self.started = self.looked = self._now()

    def seconds(self) -> float:
        """Return the seconds since the start, with the device's work done."""
        return self._now() - self.started

    def due(self, seconds: float) -> bool:
        """Tell, once, that `seconds` have passed since the last time."""
        now = time.perf_counter()
        if now - self.looked < seconds:
            return False
        self.looked = now
        return True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what happens inside."""
        before = self._now()
        yield
        self.started += self._now() - before

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _measure(
    spec: RunSpec, split: Split, clock: Stopwatch, frozen: Checkpoint | None
) -> Callable[[nn.Module], float]:
    def measure(network: nn.Module) -> float:
        if frozen:
            return frozen.accuracy  # it does not change: measured when that run was trained
        with clock.paused():
            return accuracy(network, split, spec.precision)

    return measure


def _epoch(
    number: int,
    spec: RunSpec,
    defense: Defense,
    data: Data,
    learner: Learner,
    ladder: Ladder,
    clock: Stopwatch,
    *,
    bar: bool,
) -> Epoch:
    steps, watched = steps_per_epoch(spec, data), learner.watched
    # The loss of networks beside a frozen classifier has no bound: they are meant to defeat it.
    limit = 20 * math.log(len(data.classes)) if watched == CLASSIFIER else math.inf
    order = torch.randperm(len(data.train), device=data.train.y.device)
    total = torch.zeros((), device=order.device)
    learner.classifier.train(CLASSIFIER in learner.trained)
    clock.start()
    title = f"epoch {number}/{spec.epochs}"
    with tqdm(total=steps, desc=title, disable=not bar, leave=False, unit="step") as shown:
        for step, index in enumerate(order.split(spec.batch_size), start=1):
            total += _step(spec, defense, learner, augmented(data, index), data.train.y[index])
            if step < steps:
                ladder.climb((number - 1) * steps + step, learner.averaged)
            shown.update()
            if clock.due(REFRESH):
                loss = _checked(float(total) / step, number, limit, spec)
                left = clock.seconds() / step * (steps * (spec.epochs - number + 1) - step)
                shown.set_postfix(
                    loss=f"{loss:.3f}",
                    accuracy=f"{ladder.seen:.3f}" if ladder.seen else "-",
                    run_left=tqdm.format_interval(left),
                    refresh=False,
                )
    averaged = learner.averages[watched].parameters()
    whole = all(torch.isfinite(weight).all() for weight in averaged)
    loss = _checked(float(total) / steps if whole else math.nan, number, limit, spec)
    seconds = clock.seconds()
    found = ladder.settle(number * steps, learner.averaged)
    return Epoch(number, loss, found, seconds, defense.mean_perturbation())


def _step(
    spec: RunSpec, defense: Defense, learner: Learner, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Move all networks once; return the loss of the classifier, or what is watched instead."""
    loss = torch.zeros((), device=x.device)
    with autocast(x.device, spec.precision):
        for losses in defense.updates(learner.classifier, x, y):
            learner.descend(losses)
            loss = losses.get(learner.watched, loss).detach().float()
    learner.average()
    return loss


def _checked(loss: float, epoch: int, limit: float, spec: RunSpec) -> float:
    if math.isfinite(loss) and loss < limit:
        return loss
    raise RunFailed(
        f"training diverged in epoch {epoch} (mean loss {loss:.4g}); the state after epoch "
        f"{epoch - 1} is kept. Try a lower --lr or a weaker setting of {spec.defense}"
    )
