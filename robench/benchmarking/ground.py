"""The network and the images of a benchmark: a run that is there, or one trained for it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robench import panel
from robench.attacking import predict
from robench.benchmarking.contestant import Subject
from robench.benchmarking.heat import correct
from robench.benchmarking.rounds import Ground
from robench.campaign import opened
from robench.data import Data
from robench.errors import UserError
from robench.planning import Request, data_of, plan
from robench.records import Run, RunSpec
from robench.runs import RunFolder, read_run, read_runs


@dataclass(frozen=True)
class Asked:
    """What a person asks to benchmark on."""

    request: Request
    """What to train, where no checkpoint is named; its runs, data and device count always."""
    checkpoint: str | None = None
    """Name of a finished run under the request's runs."""
    images: int = 256
    image_seed: int = 0
    precision: str = "auto"
    """In which robench's own attacks search; the request's is that of training."""
    limit: float | None = None

    def __post_init__(self) -> None:
        """Refuse a limit that lets nothing run."""
        if self.limit is not None and not self.limit > 0:
            raise UserError(f"--time-limit {self.limit} is not above 0 seconds")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A ground, and what a record says of it."""

    ground: Ground
    network: dict[str, Any] = field(default_factory=dict)


def prepare(asked: Asked, *, bar: bool) -> Prepared:
    """Load the network, training it where it is missing, choose the images."""
    folder, run, data = _run(asked, bar=bar)
    attacked = panel.choose(data, asked.images, asked.image_seed)
    network = opened(folder, run, run.final.step, data).network.requires_grad_(False)
    right = correct(attacked, predict(network, attacked.x))
    channels, height, width = data.shape
    subject = Subject(network, (channels, height, width), len(data.classes), asked.precision)
    ground = Ground(subject, right, len(right) / len(attacked), asked.limit)
    return Prepared(ground, _described(run, attacked, ground))


def _run(asked: Asked, *, bar: bool) -> tuple[Path, Run, Data]:
    request = asked.request
    if asked.checkpoint is None:
        wanted = plan(request)
        for _ in wanted.train(bar=bar):
            pass
        folder = request.runs / wanted.spec.key
        return folder, read_run(folder), wanted.data
    folder = request.runs / asked.checkpoint
    if not RunFolder(folder).done.exists():
        found = read_runs(request.runs) if request.runs.is_dir() else []
        there = ", ".join(run.key for run in found) or "none"
        raise UserError(
            f"no finished run {asked.checkpoint!r} under {request.runs}; there: {there}"
        )
    run = read_run(folder)
    return folder, run, _data(run.spec, request)


def _data(spec: RunSpec, request: Request) -> Data:
    return data_of(spec, request.data_dir, request.runs, request.device)


def _described(run: Run, attacked: panel.Panel, ground: Ground) -> dict[str, Any]:
    spec = run.spec
    return {
        "run": run.key,
        "step": run.final.step,
        "defense": spec.defense,
        "dataset": spec.dataset,
        "data": spec.data,
        "model": spec.model,
        "model_settings": dict(spec.model_settings),
        "seed": spec.seed,
        "epochs": spec.epochs,
        "classes": ground.subject.classes,
        "panel": attacked.hash,
        "images": len(attacked),
        "attacked": len(ground.panel),
        "accuracy": ground.benign,
    }
