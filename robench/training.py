"""Train one run: the loop over epochs and steps."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import torch
from torch import nn
from tqdm import tqdm

from robench import progress as stored
from robench import runs
from robench.allocator import keep_freed_memory
from robench.augment import augmented
from robench.claim import Claim, claimed
from robench.compiling import Compiled, compiled
from robench.containment import contained
from robench.data import Data, Split
from robench.defense import Defense
from robench.environment import describe
from robench.errors import Diverged
from robench.kernels import FREE, Kernels
from robench.ladder import Ladder
from robench.learner import CLASSIFIER, Learner
from robench.processes import ALONE, Processes, Share, check_shared
from robench.progress import Progress
from robench.records import Checkpoint, Epoch, Run, RunSpec, Strength, digest
from robench.runs import RunFolder
from robench.settings import differing
from robench.stopwatch import Stopwatch

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
    processes: Processes = ALONE,
    kernels: Kernels = FREE,
) -> Iterator[Epoch]:
    """Train the run that `spec` describes under `root`, yielding each epoch once it is stored.

    `build` makes the classifier; `data` lies on the device to train on. A finished run yields
    nothing, an interrupted one goes on after its last stored epoch. Raises Diverged where the
    loss does; the last good epoch stays.

    `frozen`: the checkpoint that `build` returns. The classifier then stays as it is, and only
    the networks that the defense trains beside it are trained, recorded and kept.

    `processes`: all call this alike, each with the data on its own device, `root` being one folder;
    they share every batch. The first one writes. `kernels`: how to compute, up to rounding.
    """
    keep_freed_memory()
    folder = RunFolder(root / spec.key)
    for place in (folder.path, folder.rungs):
        contained(root, place)
    check_shared(processes, spec.batch_size)
    if stored.finished(folder, spec, processes):
        return
    device = data.train.x.device
    seeds = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with claimed(folder.path) if processes.first else nullcontext() as claim, seeds:
        if stored.finished(folder, spec, processes):
            return  # by another process, just now
        torch.manual_seed(derived_seed(spec.seed, "networks"))
        networks = {CLASSIFIER: build(), **defense.networks(data.shape, len(data.classes))}
        fixed = (CLASSIFIER,) if frozen else ()
        learner = Learner(networks, device, spec.learning_rate, spec.ema, fixed, processes)
        given = (spec, defense, data, learner, folder, kernels, frozen)
        yield from _epochs(*given, bar=bar, claim=claim)


def _epochs(
    spec: RunSpec,
    defense: Defense,
    data: Data,
    learner: Learner,
    folder: RunFolder,
    kernels: Kernels,
    frozen: Checkpoint | None,
    *,
    bar: bool,
    claim: Claim | None,
) -> Iterator[Epoch]:
    check = claim.check if claim else lambda: None
    processes, device = learner.processes, data.train.x.device
    so_far, clock, steps = Progress(), Stopwatch(device), steps_per_epoch(spec, data)
    keep = stored.keeper(folder, spec, steps, so_far, check)
    ladder = Ladder(spec.rung, _measure(spec, data.validation, clock, frozen), keep)
    if processes.first:
        how = processes.described() | kernels.described()
        runs.write_manifest(folder, described(spec, defense, data, how))
    stored.resume(folder, spec, learner, ladder, so_far)
    _compile(learner, spec, data, kernels)
    for number in range(len(so_far.history) + 1, spec.epochs + 1):
        with kernels.chosen(device):
            row = _epoch(number, spec, defense, data, learner, ladder, clock, bar=bar)
        check()
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


def described(
    spec: RunSpec, defense: Defense, data: Data, how: Mapping[str, str] | None = None
) -> Run:
    """Return the run's records as they are before its first epoch.

    `how`: what its environment says beyond the machine.
    """
    return Run(
        spec=spec,
        variant=variant(spec, defense),
        strength=Strength(defense.strength, defense.stronger) if defense.strength else None,
        classes=len(data.classes),
        shape=data.shape,
        environment={**describe(data.train.x.device), **(how or {})},
        history=(),
        checkpoints=(),
    )


def variant(spec: RunSpec, defense: Defense) -> str:
    """Return the defense with the settings, other than its strength, that are not its defaults."""
    rest = differing(defense, but=defense.strength)
    return f"{spec.defense} ({rest})" if rest else spec.defense


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


def _compile(learner: Learner, spec: RunSpec, data: Data, kernels: Kernels) -> None:
    """If asked to, call the classifier compiled where that is faster on this process's batches."""
    if not kernels.compile or CLASSIFIER not in learner.trained:
        return
    whole, last = spec.batch_size, len(data.train) % spec.batch_size
    sizes = {learner.processes.share(count).images: None for count in (whole, last) if count}
    batches = [data.train.floats(slice(0, size)) for size in sizes if size]
    with autocast(data.train.x.device, spec.precision):
        learner.called, _ = compiled(learner.classifier, batches)


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
    processes, watched, steps = learner.processes, learner.watched, steps_per_epoch(spec, data)
    generator = _seeded(number, spec, data.train.y.device, processes)
    # The loss of networks beside a frozen classifier has no bound: they are meant to defeat it.
    limit = 20 * math.log(len(data.classes)) if watched == CLASSIFIER else math.inf
    order = torch.randperm(len(data.train), device=data.train.y.device, generator=generator)
    total, passed = torch.zeros((), device=order.device), 0.0
    learner.follow()
    defense.begin_epoch()
    defense.mean_perturbation()  # of an epoch that was broken off: it is not this one's
    learner.classifier.train(CLASSIFIER in learner.trained)
    clock.start()
    title, hidden = f"epoch {number}/{spec.epochs}", not (bar and processes.first)
    with tqdm(total=steps, desc=title, disable=hidden, leave=False, unit="step") as shown:
        for step, index in enumerate(order.split(spec.batch_size), start=1):
            share = processes.share(len(index))
            x, y = augmented(data, index, generator, share.part), data.train.y[index[share.part]]
            total.add_(_step(spec, defense, learner, share, x, y), alpha=share.weight)
            passed += share.weight
            if step < steps and processes.first:
                ladder.climb((number - 1) * steps + step, learner.averaged)
            shown.update()
            if passed and clock.due(REFRESH):
                loss = float(total) / passed
                if processes.alone:  # several see it at the end of the epoch, and stop together
                    _checked(loss, number, limit, spec)
                left = clock.seconds() / step * (steps * (spec.epochs - number + 1) - step)
                _show(shown, loss, ladder.seen, left)
    averaged = learner.averages[watched].parameters()
    whole = all(torch.isfinite(weight).all() for weight in averaged)
    mean = processes.mean(float(total) if whole else math.nan, passed)
    loss, seconds = _checked(mean, number, limit, spec), clock.seconds()
    found = ladder.settle(number * steps, learner.averaged) if processes.first else 0.0
    found, seconds = processes.as_first([found, seconds])
    return Epoch(number, loss, found, seconds, defense.mean_perturbation(processes))


def _show(bar: "tqdm[NoReturn]", loss: float, accuracy: float, left: float) -> None:
    """Write beside the bar how training goes; `left`: seconds to the end of the run."""
    bar.set_postfix(
        loss=f"{loss:.3f}",
        accuracy=f"{accuracy:.3f}" if accuracy else "-",
        run_left=tqdm.format_interval(left),
        refresh=False,
    )


def _seeded(
    number: int, spec: RunSpec, device: torch.device, processes: Processes
) -> torch.Generator | None:
    """Seed an epoch; return what all draw its batches from, None for torch's own generator.

    Where several share a batch, torch's own is the defense's, and each draws other numbers.
    """
    seed = derived_seed(spec.seed, number)
    if processes.alone:
        torch.manual_seed(seed)
        return None
    torch.manual_seed(derived_seed(spec.seed, f"{number} {processes.rank}"))
    return torch.Generator(device).manual_seed(seed)


def _step(
    spec: RunSpec,
    defense: Defense,
    learner: Learner,
    share: Share,
    x: torch.Tensor,
    y: torch.Tensor,
) -> torch.Tensor:
    """Move all networks once; return the loss of the classifier, or what is watched instead."""
    loss = torch.zeros((), device=x.device)
    if isinstance(learner.called, Compiled):
        learner.called.begin_step()
    with autocast(x.device, spec.precision), defense.sharing(share):
        for losses in defense.updates(learner.called, x, y):
            learner.descend(losses, share.weight)
            loss = losses.get(learner.watched, loss).detach().float()
    learner.average()
    return loss


def _checked(loss: float, epoch: int, limit: float, spec: RunSpec) -> float:
    if math.isfinite(loss) and loss < limit:
        return loss
    raise Diverged(
        f"training diverged in epoch {epoch} (mean loss {loss:.4g}); the state after epoch "
        f"{epoch - 1} is kept. Try a lower --lr or a weaker setting of {spec.defense}"
    )
