"""Attack checkpoints, white-box and from an independent source, and keep the records."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robench import weights
from robench.archive import EVALUATIONS, read_evaluation
from robench.attack import Attack
from robench.attacking import Verdict, adversaries, judge
from robench.data import Data
from robench.environment import describe
from robench.errors import UserError
from robench.fitting import aimed
from robench.learner import CLASSIFIER
from robench.panel import Panel
from robench.records import Checkpoint, Evaluation, Run, RunSpec, Settings, evaluation_key
from robench.runs import write_json
from robench.samples import Samples, first, samples_path
from robench.settings import values_of

ADVERSARIALS = "adversarials"
"""Folder of the images made on a source, which every row is then shown."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A checkpoint with its network, in evaluation mode on its device."""

    run: Run
    checkpoint: Checkpoint
    network: nn.Module


@dataclass(frozen=True)
class NamedAttack:
    """A configured attack under its plugin's name."""

    name: str
    attack: Attack

    @property
    def settings(self) -> Settings:
        """Return its settings, defaults included."""
        return values_of(self.attack)


def open_subject(
    folder: Path, run: Run, step: int, build: Callable[[], nn.Module], device: torch.device
) -> Subject:
    """Load the checkpoint of `run` at `step` from its run folder, checked against its hash."""
    checkpoint = next(kept for kept in reversed(run.checkpoints) if kept.step == step)
    path = folder / checkpoint.file
    with torch.random.fork_rng(devices=[]):
        network = build()
    weights.restore(network, weights.load(path, checkpoint.sha256), CLASSIFIER, path)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Subject(run, checkpoint, network.eval())


def evaluate(
    root: Path,
    subject: Subject,
    named: NamedAttack,
    panel: Panel,
    source: Subject | None = None,
    *,
    data: Data,
    keep: int = 0,
    bar: bool = False,
) -> tuple[Evaluation, bool]:
    """Return the record of `subject` under an attack, and whether it had to be made.

    `source`: the checkpoint that the adversarial images are made on; None: `subject` itself, that
    is, white-box. `data`: that of the run, from which the panel was chosen and on which an attack
    with networks of its own is trained. `keep`: how many images, the panel's first, to store as
    `KEY.samples.npz`; a record with fewer of them is made again. Raises UserError where the source
    is the subject.
    """
    made_on = source.checkpoint.sha256 if source else None
    if source:
        check_independent(source.run.spec, subject.run.spec)
    key = evaluation_key(subject.checkpoint.sha256, named.name, named.settings, made_on, panel.hash)
    path = root / EVALUATIONS / f"{key}.json"
    if _stored(path, min(keep, len(panel))):
        return read_evaluation(path), False
    if source:
        images, seconds = _transferred(root, source, named, panel, data, bar=bar)
    else:
        title = f"{subject.run.variant}: {named.name}"
        images, seconds = _made(root, subject, named, panel, data, title, bar=bar)
    verdict = judge(subject.network, images, panel, named.attack.radius)
    record = _record(subject, named, panel, source, verdict, seconds)
    verdict.outcomes.save(path.with_suffix(".npz"))
    if keep:
        first(keep, panel, images, verdict.outcomes).save(samples_path(path))
    write_json(path, asdict(record))  # last: the record vouches for the arrays
    return record, True


def _record(
    subject: Subject,
    named: NamedAttack,
    panel: Panel,
    source: Subject | None,
    verdict: Verdict,
    seconds: float,
) -> Evaluation:
    return Evaluation(
        run=subject.run.key,
        step=subject.checkpoint.step,
        weights=subject.checkpoint.sha256,
        attack=named.name,
        settings=named.settings,
        minimal=named.attack.minimal,
        radius=named.attack.radius,
        source=source.run.key if source else None,
        source_weights=source.checkpoint.sha256 if source else None,
        images=panel.hash,
        count=len(panel),
        violations=verdict.violations,
        seconds=round(seconds, 3),
        environment=describe(next(subject.network.parameters()).device),
    )


def check_independent(source: RunSpec, subject: RunSpec) -> None:
    """Raise UserError where both have the same weights, whichever checkpoints they keep."""
    if replace(source, rung=0.0) == replace(subject, rung=0.0):
        raise UserError(
            f"the black-box source is the evaluated run {subject.key} itself; "
            "choose another --source-seed"
        )


def _stored(path: Path, keep: int) -> bool:
    """Tell whether a record is there with its arrays and at least `keep` samples."""
    samples = samples_path(path)
    if not (path.exists() and path.with_suffix(".npz").exists()):
        return False
    return not keep or (samples.exists() and len(Samples.load(samples)) >= keep)


def _made(
    root: Path,
    victim: Subject,
    named: NamedAttack,
    panel: Panel,
    data: Data,
    title: str,
    *,
    bar: bool,
) -> tuple[NDArray[np.float32], float]:
    """Return the adversarial images of an attack on `victim`, and the seconds without training."""
    aim = aimed(root, victim, named, data, bar=bar)
    network, classes = victim.network, victim.run.classes
    return adversaries(network, classes, named.attack, panel, title, aim=aim, bar=bar)


def _transferred(
    root: Path, source: Subject, named: NamedAttack, panel: Panel, data: Data, *, bar: bool
) -> tuple[NDArray[np.float32], float]:
    """Return the adversarial images of the source, made once and kept."""
    key = evaluation_key(source.checkpoint.sha256, named.name, named.settings, None, panel.hash)
    path = root / ADVERSARIALS / f"{key}.safetensors"
    if path.exists():
        kept = weights.load(path)
        return kept["images"].numpy(), float(kept["seconds"])
    title = f"source {source.run.variant}: {named.name}"
    images, seconds = _made(root, source, named, panel, data, title, bar=bar)
    stored = {"images": torch.from_numpy(images), "seconds": torch.tensor(seconds)}
    weights.save(path, stored, {"source": source.run.key})
    return images, seconds
