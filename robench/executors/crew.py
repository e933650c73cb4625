"""Who does the work, as a command asks for it."""

import os
import time
from dataclasses import dataclass
from typing import Literal

from robench.errors import UserError
from robench.executors.cluster import Cluster, Needs
from robench.executors.executor import Executor
from robench.executors.local import Local
from robench.executors.places import places
from robench.executors.schedule import RETRIES
from robench.executors.work import Work
from robench.executors.workers import Workers

PAUSE = 10.0
"""Seconds between two looks at what another process is working on."""


@dataclass(frozen=True)
class Crew:
    """Who does the work."""

    kind: Literal["local", "processes", "ray"] = "local"
    workers: int | None = None
    """How many at once; None: as many as there are GPUs, or cores, for them."""
    gpu_fraction: float = 1.0
    """The share of a GPU that a worker has."""
    retries: int = RETRIES
    """How often a task whose worker died is begun again."""
    address: str = ""
    """Of the Ray cluster; empty: one of this machine, for this command alone."""
    device: str = "auto"

    def __post_init__(self) -> None:
        """Refuse numbers outside their range, and what one process has no use for."""
        checks = {
            f"--workers {self.workers} is not at least 1": self.workers is not None
            and self.workers < 1,
            f"--gpu-fraction {self.gpu_fraction:g} is not above 0 and at most 1": not (
                0 < self.gpu_fraction <= 1
            ),
            f"--retries {self.retries} is not at least 0": self.retries < 0,
            "--workers is for several processes; say --executor processes": self.kind == "local"
            and self.workers not in (None, 1),
        }
        if wrong := [text for text, fails in checks.items() if fails]:
            raise UserError("; ".join(wrong))

    def executor(self, work: Work) -> Executor:
        """Return who does tasks; `work` does those of this process."""
        if self.kind == "local":
            return Local(work.done)
        if self.kind == "ray":
            return Cluster(self.address, self._needs())
        return Workers(places(self.device, self.workers, self.gpu_fraction))

    def _needs(self) -> Needs:
        """Return what a task needs of a cluster: a share of a GPU, or the threads of a worker."""
        gpus = 0.0 if self.device == "cpu" else self.gpu_fraction
        return Needs(gpus, float(os.environ.get("OMP_NUM_THREADS", "1")), self.workers)

    def wait(self) -> None:
        """Let some time pass before what another process is working on is looked at again."""
        time.sleep(PAUSE)


ALONE = Crew()
"""This process itself."""
