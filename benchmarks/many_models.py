"""Time training several small networks: one after another, stacked into one, and side by side.

python benchmarks/many_models.py --models 4 --width 0.25

All are ConvPool-CNN without a defense, from different seeds, on the same batches, with the step
that training takes: autocast, fused Adam, moving average. Loading images is left out.
"""

import argparse
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional as F

from robench.allocator import keep_freed_memory
from robench.environment import choose_device, choose_precision, describe
from robench.learner import CLASSIFIER, Learner
from robench.models.convpool import SLOPE, ConvPool
from robench.records import Precision
from robench.stopwatch import Stopwatch
from robench.training import autocast

FIRST = "one after another"
SHAPE, CLASSES = (3, 32, 32), 10
CHECKED = 5
"""Steps over which losses are compared; later ones drift apart by rounding alone."""
RATE, EMA = 5e-4, 0.998  # Adam's rate and the average's decay a step: Table 1

Batch = tuple[Tensor, Tensor]
Descent = tuple[Sequence[Tensor], Tensor]
"""The gradients of all weights, and the losses (networks,)."""
Way = Callable[[Sequence[Batch]], Tensor]
"""Trains every network on the same batches, a step on each; returns losses (networks, steps)."""


@dataclass(frozen=True)
class Task:
    """What is trained, and on what. Travels to other processes."""

    width: float
    batch_size: int
    steps: int
    precision: Precision
    device: str

    def networks(self, seeds: Sequence[int]) -> list[nn.Module]:
        """Return a fresh network for each seed."""
        built = []
        with torch.random.fork_rng(devices=[]):
            for seed in seeds:
                torch.manual_seed(seed)
                built.append(ConvPool(self.width).build(SHAPE, CLASSES))
        return built

    def batches(self) -> list[Batch]:
        """Return the images and labels of a round's steps: noise, the same each time."""
        draw = torch.Generator().manual_seed(0)
        found = []
        for _ in range(self.steps):
            x = torch.rand(self.batch_size, *SHAPE, generator=draw)
            y = torch.randint(CLASSES, (self.batch_size,), generator=draw)
            found.append((x.to(self.device, memory_format=torch.channels_last), y.to(self.device)))
        return found


def one_after_another(task: Task, seeds: Sequence[int]) -> Way:
    """Train each network for a whole round before the next, as runs in a row are."""
    learners = _learners(task, seeds)

    def train(batches: Sequence[Batch]) -> Tensor:
        return torch.stack([_descended(one, batches, task.precision) for one in learners])

    return train


def stacked(task: Task, seeds: Sequence[int]) -> Way:
    """Train all networks in one: weights (networks, ...), mapped over by vmap, and one Adam."""
    networks = [network.to(task.device) for network in task.networks(seeds)]
    named = {name: value.detach() for name, value in stack_module_state(networks)[0].items()}

    def loss(one: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(networks[0], dict(one), x), y)

    slopes = vmap(grad_and_value(loss), in_dims=(0, None, None))

    def descent(x: Tensor, y: Tensor) -> Descent:
        gradients, losses = slopes(named, x, y)
        return [gradients[name] for name in named], losses

    return _at_once(task, list(named.values()), descent)


def grouped(task: Task, seeds: Sequence[int]) -> Way:
    """Train all networks in one, written for it: a group of each convolution is a network's."""
    networks = [learner.classifier for learner in _learners(task, seeds)]  # channels last
    pieces = zip(*(network.parameters() for network in networks), strict=True)
    leaves = [torch.cat(same).detach().requires_grad_() for same in pieces]  # weight, bias, ...

    def descent(x: Tensor, y: Tensor) -> Descent:
        passed = x
        for number, (weight, bias) in enumerate(zip(leaves[::2], leaves[1::2], strict=True)):
            groups = len(seeds) if number else 1  # all see the same images
            passed = F.conv2d(passed, weight, bias, padding=1, groups=groups)
            passed = F.leaky_relu(passed, SLOPE)
            if number in (1, 3, 5):
                passed = F.avg_pool2d(passed, 2)
        logits = passed.mean(dim=(2, 3)).view(len(x) * len(seeds), CLASSES)
        each = F.cross_entropy(logits, y.repeat_interleave(len(seeds)), reduction="none")
        losses = each.view(len(x), len(seeds)).mean(dim=0)
        return torch.autograd.grad(losses.sum(), leaves), losses.detach()

    return _at_once(task, leaves, descent)


def _at_once(
    task: Task, weights: Sequence[Tensor], descent: Callable[[Tensor, Tensor], Descent]
) -> Way:
    averages = [weight.detach().clone() for weight in weights]
    optimizer = torch.optim.Adam(weights, lr=RATE, fused=True)

    def train(batches: Sequence[Batch]) -> Tensor:
        found = []
        for x, y in batches:
            with autocast(x.device, task.precision):
                gradients, losses = descent(x, y)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = torch.empty_like(weight, requires_grad=False).copy_(gradient)
            optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, list(weights), weight=1 - EMA)
            found.append(losses.float())
        return torch.stack(found, dim=1)

    return train


def streams(task: Task, seeds: Sequence[int]) -> Way:
    """Train the networks step by step in turns, each on a CUDA stream of its own."""
    device, learners = torch.device(task.device), _learners(task, seeds)
    pairs = [(learner, torch.cuda.Stream(device)) for learner in learners]

    def train(batches: Sequence[Batch]) -> Tensor:
        found = []
        torch.cuda.synchronize(device)  # the streams do not wait for one another
        for batch in batches:
            for learner, stream in pairs:
                with torch.cuda.stream(stream):
                    found.append(_descended(learner, [batch], task.precision))
        torch.cuda.synchronize(device)
        return torch.cat(found).view(len(batches), len(seeds)).T

    return train


@contextmanager
def processes(task: Task, seeds: Sequence[int], count: int) -> Iterator[Way]:
    """Share the networks out to `count` processes of one thread each."""
    spawn = multiprocessing.get_context("spawn")
    shares, pipes, started = [seeds[number::count] for number in range(count)], [], []
    for share in shares:
        ours, theirs = spawn.Pipe()
        started.append(spawn.Process(target=_serve, args=(theirs, task, share), daemon=True))
        started[-1].start()
        theirs.close()  # so that a process that died is noticed
        pipes.append(ours)

    def train(_: Sequence[Batch]) -> Tensor:
        """Each process has made the batches for itself."""
        for pipe in pipes:
            pipe.send(True)
        losses = dict[int, list[float]]()
        for share, pipe in zip(shares, pipes, strict=True):
            losses |= zip(share, pipe.recv(), strict=True)
        return torch.tensor([losses[seed] for seed in seeds])

    yield train
    for process in started:
        process.kill()


def _serve(pipe: Connection, task: Task, seeds: Sequence[int]) -> None:
    """Train a share of the networks for a round whenever asked to."""
    torch.set_num_threads(1)
    keep_freed_memory()
    train, batches = one_after_another(task, seeds), task.batches()
    while pipe.recv():
        pipe.send(train(batches).tolist())


def _learners(task: Task, seeds: Sequence[int]) -> list[Learner]:
    device = torch.device(task.device)
    return [Learner({CLASSIFIER: one}, device, RATE, EMA) for one in task.networks(seeds)]


def _descended(learner: Learner, batches: Sequence[Batch], precision: Precision) -> Tensor:
    """Take a step on each batch; return the losses (steps,)."""
    found = []
    for x, y in batches:
        with autocast(x.device, precision):
            loss = F.cross_entropy(learner.classifier(x), y)
            learner.descend({CLASSIFIER: loss})
        learner.average()
        found.append(loss.detach().float())
    return torch.stack(found)


AT_ONCE = {"stacked": stacked, "grouped": grouped}


def differences(task: Task, seeds: Sequence[int]) -> dict[str, float]:
    """Return by how much a loss differs from one after another's, at most, in each precision."""
    found = {}
    own = replace(task, steps=CHECKED)
    for few in dict.fromkeys([own, replace(own, precision="float32")]):
        batches = few.batches()
        expected = one_after_another(few, seeds)(batches)
        for name, way in AT_ONCE.items():
            apart = way(few, seeds)(batches) - expected
            found[f"{name}, {few.precision}"] = float(apart.abs().max())
    return found


def measure(ways: Mapping[str, Way], task: Task, rounds: int) -> list[dict[str, float]]:
    """Run all ways in turns; return images a second, over all networks, of every round."""
    clock, batches, rows = Stopwatch(torch.device(task.device)), task.batches(), []
    for way in ways.values():
        way(batches)  # warms up
    for _ in range(rounds):
        row = {}
        for name, way in ways.items():
            clock.start()
            losses = way(batches)
            row[name] = losses.numel() * task.batch_size / clock.seconds()
        rows.append(row)
        print("  ".join(f"{name} {rate:.0f}" for name, rate in row.items()), flush=True)
    return rows


def options_of() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20, help="of each network in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    return parser.parse_args()


def main() -> None:
    """Read the options, measure, print."""
    options = options_of()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    task = Task(options.width, options.batch_size, options.steps, precision, str(device))
    environment, seeds = describe(device), range(options.models)
    print(f"{environment['device']}; {precision}, {options.threads} threads")
    print("images a second, all networks together, of each round:")
    with ExitStack() as stack:
        ways = {FIRST: one_after_another(task, seeds)}
        ways |= {name: way(task, seeds) for name, way in AT_ONCE.items()}
        if device.type == "cuda":
            ways["streams"] = streams(task, seeds)
        elif options.threads > 1:
            count = min(options.threads, options.models)
            ways["processes"] = stack.enter_context(processes(task, seeds, count))
        rows = measure(ways, task, options.rounds)
    ratios = {name: median(row[name] / row[FIRST] for row in rows) for name in ways}
    print("median:")
    for name, ratio in ratios.items():
        rate = median(row[name] for row in rows)
        print(f"  {name}: {rate:.0f}, {ratio:.2f} of {FIRST}")
    apart = differences(task, seeds)
    print(f"largest difference of a loss from {FIRST}, over {CHECKED} steps:")
    print("  " + "; ".join(f"{name} {value:.1e}" for name, value in apart.items()))
    if options.json:
        asked = {name: str(value) for name, value in vars(options).items() if name != "json"}
        content = {"options": asked, "environment": environment, "ratios": ratios}
        content |= {"loss_differences": apart, "images_per_second": rows}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
