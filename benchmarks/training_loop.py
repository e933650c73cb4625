"""Time robench's training against a bare PyTorch loop, in turns, in one process.

Both train the same network on the same images with the same batch, precision, Adam and moving
average. The bare loop does nothing else. robench also augments, copies weights for the ladder,
measures validation accuracy and stores its state after every epoch; a round is one epoch.
"""

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from robench.data import Split
from robench.dataset import Dataset, Images
from robench.datasets.folder import Folder
from robench.environment import describe
from robench.planning import Plan, Request, plan
from robench.records import Epoch
from robench.training import autocast, train

CLASSES = 10


@dataclass(frozen=True)
class Round:
    """Seconds a step, of the bare loop and of robench."""

    bare: float
    training: float
    """robench's own count: measuring and storing left out."""
    everything: float
    """The whole epoch on the clock."""
    bare_cpu: float
    everything_cpu: float
    """Processor time: not lengthened by what else the machine does."""


@dataclass(frozen=True)
class Few(Dataset):
    """As many images as the rounds need, so that a round is an epoch."""

    train: int = 0
    data_dir: str = ""
    cache: str = ""

    def load(self, directory: Path | None, cache: Path) -> Images:
        """Return the first images of a shuffled folder, or synthetic ones."""
        if not self.data_dir:
            return synthetic(self.train)
        images = Folder().load(Path(self.data_dir), Path(self.cache or cache))
        order = np.random.default_rng(0).permutation(len(images.train_y))[: self.train]
        if len(order) < self.train:
            sys.exit(f"{self.data_dir} has {len(order)} training images, {self.train} are needed")
        return Images(
            images.train_x[order],
            images.train_y[order],
            images.test_x,
            images.test_y,
            images.classes,
        )


def synthetic(count: int) -> Images:
    """Return `count` training images, 32 x 32: a random picture a class, under noise."""
    random = np.random.default_rng(0)
    pictures = random.integers(96, 160, (CLASSES, 3, 32, 32))

    def draw(number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        y = random.integers(0, CLASSES, number)
        noise = random.integers(-96, 96, (number, 3, 32, 32))
        return (pictures[y] + noise).astype(np.uint8), y

    names = tuple(f"class {number}" for number in range(CLASSES))
    return Images(*draw(count), *draw(1000), names)


def bare_loop(
    build: Callable[[], nn.Module], split: Split, batch: int, precision: str
) -> Iterator[None]:
    """Make a pass over `split` between yields: load, forward, backward, Adam, average."""
    device = split.y.device
    network = build().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-4, fused=True)
    while True:
        for index in torch.randperm(len(split), device=device).split(batch):
            x = split.x[index].permute(0, 3, 1, 2).float() / 255
            with autocast(device, precision):
                loss = F.cross_entropy(network(x), split.y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for kept, weight in zip(average.parameters(), network.parameters(), strict=True):
                    kept.lerp_(weight, 0.002)
        yield


def synchronise(device: torch.device) -> None:
    """Wait for what was asked of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def prepare(options: argparse.Namespace, root: Path) -> Plan:
    """Return a run whose epochs have the steps of a round; a tenth of its images is held out."""
    trained = options.steps * options.batch_size
    held_out = trained // 9
    settings = {
        "model.width": options.width,
        "dataset.train": trained + held_out,
        "dataset.data_dir": str(options.data_dir or ""),
        "dataset.cache": str(options.cache or ""),
    }
    request = Request(
        options.defense,
        settings,
        dataset=f"{__name__}:Few",
        validation=held_out,
        batch_size=options.batch_size,
        epochs=options.rounds + 1,  # the last one is not begun
        precision=options.precision,
        rung=options.rung,
        runs=root,
        device=options.device,
    )
    return plan(request)


def measure(planned: Plan, rounds: int, steps: int) -> Iterator[Round]:
    """Run both loops in turns; yield each round, an epoch of robench's."""
    spec, data = planned.spec, planned.data
    device = data.train.y.device
    few = Split(data.train.x[: 3 * spec.batch_size], data.train.y[: 3 * spec.batch_size])
    next(bare_loop(planned.build, few, spec.batch_size, spec.precision))  # warms up
    bare = bare_loop(planned.build, data.train, spec.batch_size, spec.precision)
    own = train(spec, planned.defense, planned.build, data, planned.root)
    for _ in range(rounds):
        plain, plain_cpu, _ = timed(bare, device)
        whole, whole_cpu, epoch = timed(own, device)
        training = cast(Epoch, epoch).seconds
        yield Round(*(v / steps for v in (plain, training, whole, plain_cpu, whole_cpu)))


def timed(loop: Iterator[object], device: torch.device) -> tuple[float, float, object]:
    """Return the wall and processor seconds to the next value, and the value."""
    synchronise(device)
    wall, cpu = time.perf_counter(), time.process_time()
    value = next(loop)
    synchronise(device)
    return time.perf_counter() - wall, time.process_time() - cpu, value


def summary(rounds: Sequence[Round]) -> dict[str, float]:
    """Return medians over the rounds; a ratio is taken within each round."""
    milliseconds = {
        "bare_ms": median(one.bare for one in rounds) * 1000,
        "training_ms": median(one.training for one in rounds) * 1000,
        "everything_ms": median(one.everything for one in rounds) * 1000,
    }
    ratios = {
        "training_ratio": median(one.training / one.bare for one in rounds),
        "everything_ratio": median(one.everything / one.bare for one in rounds),
        "everything_cpu_ratio": median(one.everything_cpu / one.bare_cpu for one in rounds),
    }
    return milliseconds | ratios


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--defense", default="baseline", help="the bare loop is always plain")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=40, help="of each loop in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", default="auto")
    parser.add_argument(
        "--rung", type=float, default=0.005, help="0: no checkpoints along training"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data-dir", type=Path, help="as for --dataset folder; else synthetic")
    parser.add_argument("--cache", type=Path, help="folder that keeps the decoded --data-dir")
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        planned = prepare(options, Path(folder))
        environment = describe(planned.data.train.x.device)
        threads = torch.get_num_threads()
        print(f"{environment['device']}; {planned.spec.precision}, {threads} threads")
        rounds = []
        for one in measure(planned, options.rounds, options.steps):
            print("  ".join(f"{name} {value:.3f}" for name, value in summary([one]).items()))
            rounds.append(one)
    result = summary(rounds)
    print("median:")
    print("  ".join(f"{name} {value:.3f}" for name, value in result.items()))
    if options.json:
        asked = {name: str(value) for name, value in vars(options).items() if name != "json"}
        content = {"options": asked, "environment": environment, **result}
        content["rounds"] = [summary([one]) for one in rounds]
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
