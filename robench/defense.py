"""The contract of a defense: a dataclass whose fields are its settings, and a loss."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from robench.processes import ALONE, Processes, Share


@dataclass
class Defense(ABC):
    """A way to train a classifier. Fields are settings (`--set`), all with defaults.

    The harness owns optimizers, moving averages and the schedule, so that defenses stay comparable.
    """

    strength: ClassVar[str | None] = None
    """The setting that trades benign accuracy for robustness; matching searches over it."""
    stronger: ClassVar[Literal["up", "down"]] = "up"
    """Whether raising `strength` makes the defense stronger (`eps`) or weaker (`c_l`)."""

    def networks(self, shape: tuple[int, int, int], classes: int) -> Mapping[str, nn.Module]:
        """Build what the defense trains beside the classifier; called once, before training.

        `shape` is (channels, height, width) of one image. The returned networks get an optimizer
        and a moving average of their own and are stored with the final checkpoint.
        """
        return {}

    @abstractmethod
    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the scalar that `model` descends: a mean over the images.

        `x`: images, float (n, channels, height, width) in [0, 1]; `y`: labels, int64 (n,). Where
        several processes train one run, they are this process's share of the batch, and the losses
        of all are averaged.
        """

    def updates(self, model: nn.Module, x: Tensor, y: Tensor) -> Iterator[Mapping[str, Tensor]]:
        """Yield rounds of losses, by network name; each round is applied before the next is asked.

        The losses of one round are differentiated before any of its networks moves. Override only
        to train networks beside the classifier.
        """
        yield {"classifier": self.loss(model, x, y)}

    def begin_epoch(self) -> None:
        """Forget what is no setting and no network: an epoch begins, or a run goes on with it.

        Override where a step leaves something to the next.
        """
        return

    def batch_size(self, x: Tensor) -> int:
        """Return the size of the batch that `x` is of: len(x), unless processes share the batch.

        For a loss that depends on it beyond being a mean.
        """
        share: Share | None = getattr(self, "_share", None)
        return share.whole if share else len(x)

    @contextmanager
    def sharing(self, share: Share) -> Iterator[None]:
        """Have what is asked inside be asked for one process's share; the harness says so."""
        self._share = share
        try:
            yield
        finally:
            del self._share

    def observe(self, perturbation: Tensor) -> None:
        """Count a batch of perturbations (n, ...) towards the mean L2 norm in the history."""
        share: Share | None = getattr(self, "_share", None)
        if share and not share.images:
            return
        norms = perturbation.detach().float().flatten(1).norm(dim=1)
        total, count = getattr(self, "_observed", (torch.zeros((), device=norms.device), 0))
        self._observed = (total + norms.sum(), count + len(norms))

    def mean_perturbation(self, processes: Processes = ALONE) -> float:
        """Return the mean L2 norm all observed since the last call; 0 where nothing was."""
        total, count = self.__dict__.pop("_observed", (0.0, 0))
        return processes.mean(float(total), count)
