"""From names and settings to everything a run needs."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from robench import data as images
from robench.architecture import Architecture
from robench.data import Data
from robench.defense import Defense
from robench.environment import choose_device, choose_precision
from robench.errors import UserError
from robench.imported.record import Imported
from robench.kernels import FREE, Kernels
from robench.known import Known
from robench.plugins import DATASETS, DEFENSES, MODELS
from robench.processes import ALONE, Processes
from robench.records import Epoch, RunSpec, Setting, Settings
from robench.settings import configure, values_of
from robench.training import train

CACHE = ".cache"
"""Folder under the runs folder where downloaded and decoded images are kept."""
PRECISIONS = ("auto", "bf16", "float32")


@dataclass(frozen=True)
class Request:
    """What a person asks to train. Settings not given keep the plugin's defaults."""

    defense: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """`c_l` for the defense's own, `model.width`, `dataset.pad` for the others'."""
    dataset: str = "cifar10"
    data_dir: Path | None = None
    validation: int | None = None
    model: str = "convpool"
    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 5e-4
    ema: float = 0.998
    precision: str = "auto"
    rung: float = 0.005
    seed: int = 0
    runs: Path = Path("runs")
    device: str = "auto"
    deterministic: bool = False
    compile: bool = False
    """Both as in `robench.kernels.Kernels`; they do not decide which run it is."""

    def __post_init__(self) -> None:
        """Refuse numbers outside their range."""
        checks = {
            f"--epochs {self.epochs} is not at least 1": self.epochs < 1,
            f"--batch-size {self.batch_size} is not at least 1": self.batch_size < 1,
            f"--lr {self.learning_rate} is not above 0": not 0 < self.learning_rate < math.inf,
            f"--ema {self.ema} is not in [0, 1)": not 0 <= self.ema < 1,
            f"--rung {self.rung} is not in [0, 1)": not 0 <= self.rung < 1,
            f"--seed {self.seed} is not at least 0": self.seed < 0,
            f"--precision {self.precision} is not of {', '.join(PRECISIONS)}": self.precision
            not in PRECISIONS,
        }
        if wrong := [text for text, fails in checks.items() if fails]:
            raise UserError("; ".join(wrong))


@dataclass(frozen=True)
class Plan:
    """A run ready to be trained."""

    spec: RunSpec
    defense: Defense
    architecture: Architecture
    data: Data
    root: Path
    kernels: Kernels = FREE
    request: Request = field(default_factory=lambda: Request(""))
    """What was asked for, with what `auto` and defaults came to where that is a matter of the
    machine: planned again elsewhere, it is the same run."""

    def build(self) -> nn.Module:
        """Return a fresh classifier."""
        return self.architecture.build(self.data.shape, len(self.data.classes))

    def train(self, *, bar: bool = False, processes: Processes = ALONE) -> Iterator[Epoch]:
        """Train the run, yielding each epoch once it is stored; see `robench.training.train`."""
        given = (self.spec, self.defense, self.build, self.data, self.root)
        return train(*given, bar=bar, processes=processes, kernels=self.kernels)


def plan(request: Request, loaded: Data | None = None, known: Known | None = None) -> Plan:
    """Resolve plugins, settings, data and device; every mistake in the request shows here.

    `loaded`: the request's data where it is at hand already. `known`: from other requests, and
    added to.
    """
    known, own = known or Known(), _split_settings(request.settings)
    defense = known.plugin(DEFENSES, request.defense)
    configured = configure(defense.cls, own[""], defense.name)
    model = known.plugin(MODELS, request.model)
    architecture = configure(model.cls, own["model"], model.name)
    dataset = known.plugin(DATASETS, request.dataset)
    source = configure(dataset.cls, own["dataset"], dataset.name)
    device = choose_device(request.device)
    data = loaded or images.load(
        source,
        dataset.name,
        request.data_dir,
        request.runs / CACHE,
        device,
        request.validation,
    )
    spec = RunSpec(
        defense=defense.name,
        settings=values_of(configured),
        dataset=dataset.name,
        dataset_settings=values_of(source),
        data=data.hash,
        validation=data.held_out,
        model=model.name,
        model_settings=values_of(architecture),
        seed=request.seed,
        epochs=request.epochs,
        batch_size=request.batch_size,
        learning_rate=request.learning_rate,
        ema=request.ema,
        precision=choose_precision(request.precision, device),
        rung=request.rung,
    )
    _check_networks(spec, configured, architecture, data, known)
    kernels = Kernels(request.deterministic, request.compile)
    asked = replace(request, validation=spec.validation, precision=spec.precision)
    return Plan(spec, configured, architecture, data, request.runs, kernels, asked)


def _check_networks(
    spec: RunSpec, defense: Defense, architecture: Architecture, data: Data, known: Known
) -> None:
    """Have both refuse images they cannot take, before anything is written."""
    images = (data.shape, len(data.classes))
    with torch.random.fork_rng(devices=[]):
        known.check(
            ("model", spec.model, spec.model_settings, images), lambda: architecture.build(*images)
        )
        known.check(
            ("defense", spec.defense, spec.settings, images), lambda: defense.networks(*images)
        )


def data_of(spec: RunSpec | Imported, data_dir: Path | None, runs: Path, device: str) -> Data:
    """Load the data set that a run was trained on, or a network brought in for; refuse others."""
    dataset = DATASETS.recorded(spec.dataset)
    source = configure(dataset.cls, spec.dataset_settings, dataset.name)
    data = images.load(
        source, dataset.name, data_dir, runs / CACHE, choose_device(device), spec.validation
    )
    if data.hash != spec.data:
        raise UserError(
            f"the {spec.dataset} images found (hash {data.hash}) are not those of the run "
            f"{spec.key} ({spec.data}); say --data-dir with the folder it was trained on"
        )
    return data


def data_at_hand(
    spec: RunSpec | Imported, data_dir: Path | None, runs: Path, device: str
) -> Data | None:
    """Load the data set of a run if it is here; None where it would have to be fetched or named.

    Raises UserError where `data_dir` is given and holds another.
    """
    if data_dir is not None:
        return data_of(spec, data_dir, runs, device)
    dataset = DATASETS.recorded(spec.dataset)
    if not configure(dataset.cls, spec.dataset_settings, dataset.name).found(None, runs / CACHE):
        return None
    try:
        return data_of(spec, None, runs, device)
    except UserError:
        return None


def classifier_of(
    spec: RunSpec, shape: tuple[int, int, int], classes: int
) -> Callable[[], nn.Module]:
    """Return what builds a run's classifier for images of (channels, height, width)."""
    return builder(spec.model, spec.model_settings, shape, classes)


def builder(
    model: str, settings: Settings, shape: tuple[int, int, int], classes: int
) -> Callable[[], nn.Module]:
    """Return what builds the network of a recorded model; UserError for settings it lacks."""
    plugin = MODELS.recorded(model)
    architecture = configure(plugin.cls, settings, plugin.name)
    return lambda: architecture.build(shape, classes)


def defense_of(spec: RunSpec) -> Defense | None:
    """Return the defense that a run was trained with, under its settings.

    None where it is not installed here, or was a file's, which a record does not run.
    """
    try:
        plugin = DEFENSES.recorded(spec.defense)
        return configure(plugin.cls, spec.settings, plugin.name)
    except UserError:
        return None


def like(spec: RunSpec, defense: str, seed: int) -> tuple[RunSpec, Defense]:
    """Return the spec of `defense` at its defaults, trained as `spec` but for the seed.

    Only its final checkpoint is kept.
    """
    plugin = DEFENSES.get(defense)
    configured = configure(plugin.cls, {}, plugin.name)
    other = replace(spec, defense=plugin.name, settings=values_of(configured), seed=seed, rung=0.0)
    return other, configured


def _split_settings(given: Mapping[str, Setting]) -> dict[str, dict[str, Setting]]:
    split: dict[str, dict[str, Setting]] = {"": {}, "model": {}, "dataset": {}}
    for key, value in given.items():
        owner, dot, name = key.rpartition(".")
        if owner not in split:
            raise UserError(f"no settings of {owner!r} in {key}; use KEY, model.KEY or dataset.KEY")
        split[owner][name if dot else key] = value
    return split
