"""Two processes that train one run, started as torchrun starts them but sooner; what they do."""

import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

import tiny
from robench import processes as tested
from robench.augment import augmented
from robench.defense import Defense
from robench.errors import RunFailed, UserError
from robench.learner import CLASSIFIER, Learner
from robench.processes import joined
from robench.runs import RunFolder, read_run
from robench.training import derived_seed, train

COUNT = 2
Case = tuple[str, dict[str, Any]]
"""A defense and what is asked beside it."""


def start(server: ForkServerContext, target: Callable[..., None], *given: Any) -> list[BaseProcess]:
    """Start the processes; each calls `target` with the rest."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started: list[BaseProcess] = [
        server.Process(target=_enter, args=(rank, port, target, given), daemon=True)
        for rank in range(COUNT)
    ]
    for one in started:
        one.start()
    return started


def run(server: ForkServerContext, target: Callable[..., None], *given: Any) -> None:
    """Let the processes call `target` and come to a good end."""
    started = start(server, target, *given)
    for one in started:
        one.join(120)
    assert [one.exitcode for one in started] == [0] * COUNT


def _enter(rank: int, port: int, target: Callable[..., None], given: Sequence[Any]) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(COUNT)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ["LOCAL_WORLD_SIZE"] = str(COUNT)
    target(*given)


def trained(data: Path, runs: Path, cases: Sequence[Case], epochs: int | None = None) -> None:
    """Train the cases one after the other, or as many of their epochs as are said."""
    with joined("cpu") as processes:
        for defense, request in cases:
            with processes.first_before_others():
                planned = tiny.planned(defense, data, runs, **request)
            rows = planned.train(processes=processes)
            if epochs:
                for _ in range(epochs):
                    next(rows)
            else:
                found = tuple(rows)
                whole = read_run(runs / planned.spec.key).history
                assert found == whole[len(whole) - len(found) :]  # all tell what the first wrote


@dataclass
class Seen(Defense):
    """Notes the images it is given, and what a defense would draw from."""

    def __post_init__(self) -> None:
        self.images: list[Tensor] = []
        self.seeds: list[int] = []

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        self.images.append(x)
        self.seeds.append(torch.initial_seed())
        return F.cross_entropy(model(x), y)

    def store(self, path: Path) -> None:
        """Write the images of each step, and the seeds."""
        tensors = {str(step): x.contiguous() for step, x in enumerate(self.images)}
        save_file(tensors, path, {"seeds": json.dumps(self.seeds)})


def seen(data: Path, runs: Path, request: dict[str, Any]) -> None:
    """Train a run; each process stores the images that it was given."""
    with joined("cpu") as processes:
        planned = tiny.planned("baseline", data, runs, **request)
        given, defense = (planned.build, planned.data, planned.root), Seen()
        assert list(train(planned.spec, defense, *given, processes=processes))
        defense.store(runs / f"{processes.rank}.safetensors")


def by_torch(data: Path, runs: Path, request: dict[str, Any]) -> None:
    """Train the baseline by hand, through torch's own wrapper, on batches that all can halve."""
    with joined("cpu") as processes:
        planned = tiny.planned("baseline", data, runs, **request)
        spec, images = planned.spec, planned.data
        torch.manual_seed(derived_seed(spec.seed, "networks"))
        network = planned.build().to(memory_format=torch.channels_last)
        wrapped = DistributedDataParallel(network)
        optimizer = torch.optim.Adam(network.parameters(), lr=spec.learning_rate)
        for number in range(1, spec.epochs + 1):
            torch.manual_seed(derived_seed(spec.seed, number))
            for index in torch.randperm(len(images.train)).split(spec.batch_size):
                x, mine = augmented(images, index), index.chunk(COUNT)[processes.rank]
                own = x.chunk(COUNT)[processes.rank]
                optimizer.zero_grad()
                F.cross_entropy(wrapped(own), images.train.y[mine]).backward()
                optimizer.step()
        if processes.first:
            tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
            save_file(tensors, runs / "by-torch.safetensors")


class Counted(nn.Module):
    """A weight and a buffer."""

    counted: Tensor

    def __init__(self, value: int) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        nn.init.constant_(self.layer.weight, value)
        self.register_buffer("counted", torch.tensor(value))


def followed() -> None:
    """Come with other weights and buffers than the first; leave with the first's."""
    with joined("cpu") as processes:
        learner = Learner(
            {CLASSIFIER: Counted(7 + processes.rank)},
            torch.device("cpu"),
            0.1,
            0.5,
            processes=processes,
        )
        learner.follow()
        for network in (learner.classifier, learner.averaged):
            assert int(network.get_buffer("counted")) == 7
            assert float(network.get_submodule("layer").get_parameter("weight")) == 7


def differ(data: Path, runs: Path) -> None:
    """Ask for another seed in each process; be refused."""
    with joined("cpu") as processes:
        planned = tiny.planned("baseline", data, runs, seed=processes.rank)
        with pytest.raises(UserError, match="do not see the same run"):
            list(planned.train(processes=processes))


def exchanged() -> None:
    """Reduce numbers whose sums are known."""
    with joined("cpu") as processes:
        mine = processes.rank + 1.0
        tensors = [torch.full((2, 3), mine), torch.tensor(10 * mine)]
        found = processes.summed(tensors, weight=mine)
        assert torch.equal(found[0], torch.full((2, 3), 5.0))  # 1 * 1 + 2 * 2
        assert float(found[1]) == 50
        assert processes.mean(mine, 2 * processes.rank) == 1.5
        assert processes.mean(0.0, 0.0) == 0
        assert list(processes.as_first([mine, 0.1])) == [1.0, 0.1]
        processes.agree(["one", 1], "never")


def ended(words: Sequence[object], out: Path, graces: Sequence[float] = ()) -> None:
    """Call the command line; store how it ended. `graces`: seconds, of each process."""
    rank = int(os.environ["RANK"])
    if graces:
        tested.GRACE = graces[rank]
    found = tiny.robench(*words)
    (out / f"{rank}.json").write_text(json.dumps(asdict(found)))


def folder_of(runs: Path) -> RunFolder:
    """Return the paths of the one run there is."""
    (path,) = runs.glob("folder-*")
    return RunFolder(path)


@dataclass
class Shy(Defense):
    """Fails in the second process."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if os.environ["RANK"] == "1":
            raise RunFailed("the second one fails")
        return F.cross_entropy(model(x), y)
