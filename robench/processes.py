"""Several processes that train one run: which images are whose, and what they tell each other.

torchrun starts them and tells each its number. All hold the same weights and take the same steps;
of a batch, each computes its share. The first one alone measures, writes and speaks.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from robench.errors import RunFailed, UserError
from robench.records import digest

PATIENCE = timedelta(days=1)
"""How long one waits for another: the first may measure for long, and torchrun ends all if one
fails."""
GRACE = 10.0
"""Seconds in which torchrun ends a process after another has failed."""
NAMED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets."""


class Lost(RunFailed):
    """Another process has ended, and this one cannot go on without it."""


@dataclass(frozen=True)
class Share:
    """One process's part of a batch."""

    part: slice
    """Its images; where the batch has none for it, the first, to keep in step with the others."""
    images: int
    """How many of them count."""
    whole: int
    """Images of the whole batch."""

    @property
    def weight(self) -> float:
        """Return what the mean over `part` counts in the mean over the batch."""
        return self.images / self.whole


@dataclass(frozen=True)
class Processes:
    """One of `count` processes. A process that is alone exchanges nothing, and loses no time.

    All must call the same methods in the same order. Where another has ended they raise Lost.
    """

    rank: int
    count: int

    @property
    def alone(self) -> bool:
        """Tell whether there is no other."""
        return self.count == 1

    @property
    def first(self) -> bool:
        """Tell whether this one measures, writes and speaks."""
        return self.rank == 0

    def share(self, whole: int) -> Share:
        """Return this one's part of a batch of `whole` images; parts differ by one at most."""
        start, stop = (whole * rank // self.count for rank in (self.rank, self.rank + 1))
        return Share(slice(start, stop) if start < stop else slice(0, 1), stop - start, whole)

    def summed(self, tensors: Sequence[Tensor], weight: float) -> Sequence[Tensor]:
        """Return each tensor times its process's `weight`, summed; all in one message."""
        if self.alone:
            return tensors
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).mul_(weight)
        _exchange(distributed.all_reduce, flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def mean(self, total: float, count: float) -> float:
        """Return the sum of all totals over the sum of all counts; 0 where nothing was counted."""
        if not self.alone:
            both = torch.tensor([total, count], dtype=torch.float64)
            _exchange(distributed.all_reduce, both)
            total, count = both.tolist()
        return total / count if count else 0.0

    def as_first(self, values: Sequence[float]) -> Sequence[float]:
        """Return the first one's numbers, once it has them."""
        if self.alone:
            return values
        message = torch.tensor(values, dtype=torch.float64)
        _exchange(distributed.broadcast, message, 0)
        found: list[float] = message.tolist()
        return found

    @torch.no_grad()
    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite each tensor by the first one's."""
        for tensor in () if self.alone else tensors:
            message = tensor.clone(memory_format=torch.contiguous_format)
            _exchange(distributed.broadcast, message, 0)
            tensor.copy_(message)

    def agree(self, value: object, differing: str) -> None:
        """Raise UserError(`differing`), in all, unless all come with the same JSON `value`."""
        if self.alone:
            return
        number = int(digest(value, 15), 16)
        ends = torch.tensor([number, -number])
        _exchange(distributed.all_reduce, ends, distributed.ReduceOp.MAX)
        if ends[0] != -ends[1]:
            raise UserError(differing)

    def wait(self) -> None:
        """Return once all have come here."""
        self.mean(0.0, 0.0)  # which needs something of everyone

    def described(self) -> dict[str, str]:
        """Return what the record of a run says about them; nothing where there is one."""
        return {} if self.alone else {"processes": str(self.count)}

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the first one through what is inside before any other."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()


ALONE = Processes(0, 1)


def started(environment: Mapping[str, str] = os.environ) -> Processes:
    """Return which process this is of those that torchrun started; ALONE where it did not."""
    if environment.get("WORLD_SIZE", "1") == "1":
        return ALONE
    try:
        rank, count = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        known = 0 <= rank < count and all(environment[name] for name in NAMED)
    except (KeyError, ValueError):
        known = False
    if not known:
        values = ", ".join(f"{name}={environment.get(name, '')}" for name in NAMED)
        raise UserError(
            f"there are several processes, and it is not said which this one is ({values}); start "
            "them with torchrun, or unset WORLD_SIZE"
        )
    return Processes(rank, count)


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, and leave them at the end; alone, do nothing.

    `device`: as asked for; of `auto` and `cuda`, each process takes the GPU of its own number.
    What all fail at is said by the first one alone: the others wait to be ended.
    """
    processes = started()
    if processes.alone:
        yield processes
        return
    try:
        _meet(processes, _backends(device, processes))
        yield processes
        distributed.destroy_process_group()
    except Exception as error:
        if isinstance(error, Lost) or not processes.first:
            time.sleep(GRACE)  # whoever knows better what went wrong says so and ends all
        raise
    except KeyboardInterrupt:
        if processes.first:
            raise
        raise SystemExit(130) from None  # as the first, which says it


def check_shared(processes: Processes, batch: int) -> None:
    """Raise UserError where `processes` cannot share batches, or do not although others run."""
    if processes.count > batch:
        raise UserError(
            f"{processes.count} processes cannot share batches of {batch} images; raise "
            "--batch-size or start fewer"
        )
    count = started().count
    if processes.alone and count > 1:
        raise UserError(
            f"torchrun started {count} processes, and each would train the same run: only "
            "`robench train` shares a run among processes"
        )


def _backends(device: str, processes: Processes) -> str:
    """Take this process's GPU, if it is to use one; return what to exchange tensors through."""
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return "gloo"
    if device not in ("auto", "cuda"):
        raise UserError(
            f"--device {device} for {processes.count} processes: say cuda, and each takes a GPU "
            "of its own, or cpu"
        )
    here, there = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if here > there:
        raise UserError(
            f"{here} processes on a machine with {there} GPUs; say torchrun --nproc-per-node "
            f"{max(there, 1)}, or --device cpu"
        )
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return "cpu:gloo,cuda:nccl"


def _meet(processes: Processes, backends: str) -> None:
    try:
        distributed.init_process_group(
            backends, rank=processes.rank, world_size=processes.count, timeout=PATIENCE
        )
    except (RuntimeError, ValueError) as error:
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise RunFailed(
            f"the {processes.count} processes do not meet at {place} ({_line(error)})"
        ) from None


def _exchange(operation: Callable[..., object], *given: object) -> None:
    try:
        operation(*given)
    except RuntimeError as error:
        raise Lost(
            f"another process of this run has ended, and says why ({_line(error)})"
        ) from None


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
