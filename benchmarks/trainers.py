"""Time PGD adversarial training by robench, by ART and by a plain loop around torchattacks.

python benchmarks/trainers.py --width 0.5

All train ConvPool-CNN on the same images by the same attack (L2, random start, 10 steps of eps / 6)
with the same batch and Adam, in one process, in turns. Needs the extra `peers`.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.allocator import keep_freed_memory
from robench.benchmarking.contestant import EXTRA
from robench.benchmarking.passes import Counted, Tally
from robench.data import Data, Split
from robench.environment import describe, installed
from robench.estimator import wrap
from robench.peer import Target
from robench.planning import Plan, Request, plan
from robench.records import Precision
from robench.stopwatch import Stopwatch
from robench.training import autocast, train
from robench_attacks.peers.torchattacks import Torchattacks

ATTACK_STEPS = 10


@dataclass(frozen=True)
class Task:
    """What all train, on what, by what."""

    planned: Plan
    build: Callable[[], nn.Module]
    data: Data
    eps: float
    root: Path
    """Where robench keeps its run."""

    @property
    def device(self) -> torch.device:
        """Return where to train."""
        return self.data.train.y.device


Loop = Iterator[float]
"""Trains for an epoch and yields its seconds, again and again."""


@dataclass(frozen=True)
class Trainer:
    """One line of the comparison."""

    name: str
    precision: Precision
    begin: Callable[[Task, Precision], Loop]


def ours(task: Task, precision: Precision) -> Loop:
    """Train as `robench train --defense pgd` does; measuring and writing are left out."""
    spec = replace(task.planned.spec, precision=precision)
    for epoch in train(spec, task.planned.defense, task.build, task.data, task.root):
        yield epoch.seconds


def art(task: Task, precision: Precision, *, tuned: bool) -> Loop:
    """Train by ART's trainer, which leaves its attack at ART's batches of 32 images.

    `tuned`: with all that it can be given: whole batches, channels last, autocast.
    """
    from art.defences.trainer import AdversarialTrainerMadryPGD
    from art.estimators.classification import PyTorchClassifier

    spec, data = task.planned.spec, task.data
    network = _placed(task, tuned)
    classifier = PyTorchClassifier(
        model=Autocast(network) if precision == "bf16" else network,
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam(network.parameters(), lr=spec.learning_rate),
        input_shape=data.shape,
        nb_classes=len(data.classes),
        clip_values=(0.0, 1.0),
        device_type="gpu" if task.device.type == "cuda" else "cpu",
    )
    trainer = AdversarialTrainerMadryPGD(
        classifier,
        nb_epochs=1,
        batch_size=spec.batch_size,
        eps=task.eps,
        eps_step=task.eps / 6,
        max_iter=ATTACK_STEPS,
    )
    # The trainer itself takes neither: its attack is L-infinity, and batches are of 32.
    trainer.attack.set_params(norm=2, batch_size=spec.batch_size if tuned else 32)
    x = data.train.floats(slice(None)).contiguous().cpu().numpy()
    y, clock = data.train.y.cpu().numpy(), Stopwatch(task.device)
    while True:
        clock.start()
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
            trainer.fit(x, y)
        yield clock.seconds()


def _placed(task: Task, tuned: bool) -> nn.Module:
    layout = torch.channels_last if tuned else torch.contiguous_format
    network: nn.Module = task.build().to(device=task.device, memory_format=layout)  # type: ignore[call-overload]
    return network


class Autocast(nn.Module):
    """A network that computes in bf16, for a trainer that knows of float32 alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 logits."""
        with autocast(x.device, "bf16"):
            return self.network(x).float()


def plain(task: Task, precision: Precision, *, tuned: bool) -> Loop:
    """Train as such loops are mostly written. `tuned`: with fused Adam, weights channels last."""
    spec, data = task.planned.spec, task.data
    network = _placed(task, tuned)
    optimizer = torch.optim.Adam(network.parameters(), lr=spec.learning_rate, fused=tuned or None)
    classes = len(data.classes)
    target = Target(network, data.shape, classes, lambda: wrap(network, data.shape, classes))
    budget = {"eps": task.eps, "alpha": task.eps / 6, "steps": ATTACK_STEPS, "random_start": True}
    attack = Torchattacks().attack("PGDL2", target, spec.batch_size, budget)
    clock = Stopwatch(task.device)
    while True:
        clock.start()
        for index in torch.randperm(len(data.train), device=task.device).split(spec.batch_size):
            x, y = data.train.floats(index).contiguous(), data.train.y[index]
            with autocast(task.device, precision):
                adversarial = attack(x, y)
                network.train()
                loss = F.cross_entropy(network(adversarial), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield clock.seconds()


def trainers(default: Precision) -> list[Trainer]:
    """Return who takes part, robench first, in float32 and in its default precision."""
    precisions: list[Precision] = list(dict.fromkeys([default, "float32"]))
    return [
        *(Trainer("robench", each, ours) for each in precisions),
        Trainer("ART", "float32", partial(art, tuned=False)),
        *(Trainer("ART, tuned", each, partial(art, tuned=True)) for each in precisions),
        Trainer("torchattacks", "float32", partial(plain, tuned=False)),
        *(Trainer("torchattacks, tuned", each, partial(plain, tuned=True)) for each in precisions),
    ]


class Watched(Counted):
    """Also counts the samples that gradients of weights are computed for, by the first weight."""

    def __init__(self, network: nn.Module, tally: Tally) -> None:
        super().__init__(network, tally)
        self.latest = 0
        next(network.parameters()).register_hook(self._learnt)

    def forward(self, x: Tensor) -> Tensor:
        """Return the network's logits."""
        self.latest = len(x)
        return super().forward(x)

    def _learnt(self, _: Tensor) -> None:
        self.tally.samples["weights", ""] += self.latest


def passes(trainer: Trainer, task: Task) -> dict[str, int]:
    """Return samples an image of a single step: forward, backward, and of these, for weights.

    An image that robench measures after its epoch is not counted.
    """
    batch, tally = task.planned.spec.batch_size, Tally()
    few = Split(task.data.train.x[:batch], task.data.train.y[:batch])
    one = replace(task, data=replace(task.data, train=few), root=task.root / "counted")
    counted = replace(one, build=lambda: Watched(task.build(), tally))
    next(trainer.begin(counted, trainer.precision))
    found = {"forward": 0, "backward": 0, "weights": 0}
    for (way, _), samples in tally.samples.items():
        found[way] += samples
    return {way: samples // batch for way, samples in found.items()}


def prepare(options: argparse.Namespace, root: Path) -> Task:
    """Return what to train: an epoch has as many steps as a round, one image is held out."""
    request = Request(
        "pgd",
        {
            "eps": options.eps,
            "steps": ATTACK_STEPS,
            "model.width": options.width,
            "dataset.train": options.steps * options.batch_size + 1,
            "dataset.test": 1,
        },
        dataset=str(Path(__file__).with_name("synthetic.py")),
        validation=1,
        batch_size=options.batch_size,
        epochs=options.rounds + 1,  # the last one is not begun
        rung=0.0,
        runs=root,
        device=options.device,
    )
    planned = plan(request)
    return Task(planned, planned.build, planned.data, options.eps, root)


def summary(field: Sequence[Trainer], rounds: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """Return a row for each trainer: medians over the rounds; a ratio is taken within each.

    `rounds`: milliseconds a step.
    """
    own = {t.precision: n for n, t in enumerate(field) if t.begin is ours}
    return [
        {
            "trainer": trainer.name,
            "precision": trainer.precision,
            "ms": median(one[number] for one in rounds),
            "over_same": median(one[number] / one[own[trainer.precision]] for one in rounds),
            "over_default": median(one[number] / one[0] for one in rounds),
        }
        for number, trainer in enumerate(field)
    ]


def line(row: dict[str, Any]) -> str:
    """Return a row as it is printed."""
    counts = "/".join(str(row[way]) for way in ("forward", "backward", "weights"))
    return (
        f"{row['trainer']:<20} {row['precision']:<9} {counts:>8} {row['ms']:>10.1f} "
        f"{row['over_same']:>11.2f} {row['over_default']:>14.2f}"
    )


def options_of() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--eps", type=float, default=0.1, help="L2 radius of the attack")
    parser.add_argument("--steps", type=int, default=4, help="of each trainer in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    return parser.parse_args()


def main() -> None:
    """Read the options, measure, print."""
    options = options_of()
    if not installed("torchattacks"):
        sys.exit(f"torchattacks is not installed; {EXTRA}")
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        task = prepare(options, Path(folder))
        environment = describe(task.device) | {"torchattacks": installed("torchattacks")}
        print(f"{environment['device']}; {options.threads} threads")
        field = trainers(task.planned.spec.precision)
        counts = [passes(trainer, task) for trainer in field]  # warms up, too
        loops, rounds = [trainer.begin(task, trainer.precision) for trainer in field], []
        for _ in range(options.rounds):
            rounds.append([next(loop) * 1000 / options.steps for loop in loops])
            print("milliseconds a step:", *(f"{value:.1f}" for value in rounds[-1]), flush=True)
    rows = [row | count for row, count in zip(summary(field, rounds), counts, strict=True)]
    print("trainer              precision   passes    ms/step  over ours  over default")
    for row in rows:
        print(line(row))
    print("passes: forward / backward / of these, with gradients of weights, for each image")
    if options.json:
        asked = {name: str(value) for name, value in vars(options).items() if name != "json"}
        content = {"options": asked, "environment": environment, "trainers": rows}
        options.json.write_text(json.dumps(content | {"rounds_ms": rounds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
