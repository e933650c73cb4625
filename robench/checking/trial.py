"""A few steps of training, as the harness itself trains: for trying a plugin out."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.checking.check import Untried
from robench.checking.images import Synthetic, synthetic
from robench.checking.networks import Small
from robench.data import Data
from robench.defense import Defense
from robench.evaluation import Subject, open_subject
from robench.records import Precision, RunSpec
from robench.runs import RunFolder, read_run
from robench.settings import values_of
from robench.training import train

Build = Callable[[tuple[int, int, int], int], nn.Module]
SMALL, CPU = Synthetic(), torch.device("cpu")


@dataclass
class Plain(Defense):
    """No defense: the cross-entropy of the images as they are."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean cross-entropy."""
        return F.cross_entropy(model(x), y)


@dataclass(frozen=True)
class Trial:
    """What to train, on which made-up images, for how long."""

    root: Path
    """The runs folder."""
    name: str = "plain"
    """Of the defense, in the run's records."""
    defense: Callable[[], Defense] = Plain
    """Makes the defense, anew for each training."""
    build: Build = Small
    images: Synthetic = SMALL
    device: torch.device = CPU
    epochs: int = 2
    batch_size: int = 12
    precision: Precision = "float32"
    learning_rate: float = 0.01
    seed: int = 0

    @property
    def data(self) -> Data:
        """Return the images on the device."""
        return synthetic(self.images, self.device)

    @property
    def spec(self) -> RunSpec:
        """Return the spec of the run."""
        return RunSpec(
            defense=self.name,
            settings=values_of(self.defense()),
            dataset="synthetic",
            dataset_settings=values_of(self.images),
            data=self.data.hash,
            validation=0,
            model="small",
            model_settings={},
            seed=self.seed,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            ema=0.5,
            precision=self.precision,
            rung=0.0,
        )

    @property
    def folder(self) -> RunFolder:
        """Return the paths of the run."""
        return RunFolder(self.root / self.spec.key)

    def under(self, part: str) -> "Trial":
        """Return the same run in another runs folder."""
        return replace(self, root=self.root / part)

    def steps(self, epochs: int | None = None) -> None:
        """Train, or go on, to the end, or for so many epochs: an interrupted run."""
        data = self.data

        def fresh() -> nn.Module:
            return self.build(data.shape, len(data.classes))

        # An interrupted generator is closed here, not when it happens to be collected.
        running = train(self.spec, self.defense(), fresh, data, self.root)
        for _ in itertools.islice(running, epochs):
            pass
        running.close()  # type: ignore[attr-defined]

    def finished(self) -> "Trial":
        """Train to the end and return this; raises Untried where that fails."""
        try:
            self.steps()
        except Exception as error:
            raise Untried("there is no trained network; see `training`") from error
        return self

    def weights(self) -> bytes:
        """Return the file of the finished run's weights."""
        return self.folder.final.read_bytes()

    def subject(self) -> Subject:
        """Train to the end and return the classifier."""
        self.steps()
        run, data = read_run(self.folder.path), self.data
        return open_subject(
            self.folder.path,
            run,
            run.final.step,
            lambda: self.build(data.shape, len(data.classes)),
            self.device,
        )
