"""Attack checkpoints, white-box and from an independent source, and keep the records."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robench import files, weights
from robench.aiming import aimed
from robench.archive import EVALUATIONS, read_evaluation
from robench.attack import AdaptiveAttack, Attack
from robench.attacking import Verdict, adversaries, judge
from robench.containment import contained
from robench.data import Data
from robench.engine import search_precision
from robench.environment import describe
from robench.errors import UserError
from robench.imported.record import Imported
from robench.learner import CLASSIFIER
from robench.panel import Panel
from robench.records import (
    Checkpoint,
    Engine,
    Evaluation,
    Precision,
    Run,
    RunSpec,
    Settings,
    evaluation_key,
    signed,
)
from robench.runs import write_json
from robench.samples import Samples, samples_path, taken
from robench.settings import values_of

ADVERSARIALS = "adversarials"
"""Folder of the images made on a source, which every row is then shown."""
BF16 = "bf16"
"""Stands among the tensors of such images that were searched in bf16."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A checkpoint with its network, in evaluation mode on its device."""

    run: Run | Imported
    checkpoint: Checkpoint
    network: nn.Module

    @property
    def trained(self) -> Run:
        """Return the run that trained it; UserError where robench did not."""
        if isinstance(self.run, Imported):
            raise UserError(f"robench did not train {self.run.name}; of its training it knows none")
        return self.run


@dataclass(frozen=True)
class NamedAttack:
    """A configured attack under its plugin's name."""

    name: str
    attack: Attack
    engine: Engine = "robench"

    @property
    def label(self) -> str:
        """Return its name, and that it is ART's where it is."""
        return signed(self.name, self.engine)

    @property
    def settings(self) -> Settings:
        """Return its settings, defaults included."""
        return values_of(self.attack)

    @property
    def adaptive(self) -> bool:
        """Tell whether it was made for some defenses."""
        return isinstance(self.attack, AdaptiveAttack)

    def key(self, weights: str, source_weights: str | None, panel: Panel) -> str:
        """Return the name of its evaluation on the network of `weights`."""
        made_on = (self.settings, source_weights, panel.hash)
        return evaluation_key(weights, self.name, *made_on, self.engine)


@dataclass(frozen=True, eq=False)
class _Made:
    """What an attack returned."""

    images: NDArray[np.float32]
    """(n, channels, height, width)."""
    seconds: float
    """Without the training of its own networks."""
    precision: Precision
    """What it searched in."""


def open_subject(
    folder: Path, run: Run, step: int, build: Callable[[], nn.Module], device: torch.device
) -> Subject:
    """Load the checkpoint of `run` at `step` from its run folder, checked against its hash."""
    checkpoint = next((kept for kept in reversed(run.checkpoints) if kept.step == step), None)
    if checkpoint is None:
        raise UserError(f"the run {run.key} has no checkpoint of step {step}")
    path = contained(folder, folder / checkpoint.file)
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
    again: bool = True,
    precision: str = "auto",
    bar: bool = False,
) -> tuple[Evaluation, bool]:
    """Return the record of `subject` under an attack, and whether it had to be made.

    `source`: the checkpoint that the adversarial images are made on; None: `subject` itself, that
    is, white-box. `data`: that of the run, from which the panel was chosen and on which an attack
    with networks of its own is trained. `keep`: how many images, of all classes, to store as
    `KEY.samples.npz`; a record with fewer is made again if `again`. `precision`: auto, bf16 or
    float32, which the attack may search in; one that was searched in bf16 is made again where
    float32 is asked for. Raises UserError where the source is the subject.
    """
    whole, panel = panel, panel.part(named.attack.most_images)
    made_on = source.checkpoint.sha256 if source else None
    if source:
        check_independent(source.trained.spec, subject.trained.spec)
    path = root / EVALUATIONS / f"{named.key(subject.checkpoint.sha256, made_on, panel)}.json"
    contained(root, path.parent)
    if _stored(path, min(keep, len(panel)) if again else 0):
        record = read_evaluation(path)
        if _answers(record.precision, precision):
            return record, False
        keep = max(keep, _kept(path))  # what was kept is of what is made again
    asked = (root, source or subject, named, panel, data, precision)
    made = _transferred(*asked, bar=bar) if source else _made(*asked, bar=bar)
    verdict = judge(subject.network, made.images, panel, named.attack.radius)
    record = _record(subject, named, panel, source, verdict, made)
    files.remove(path)  # an older one vouches for other arrays
    verdict.outcomes.save(path.with_suffix(".npz"))
    if keep:
        places = verdict.outcomes.places(whole.beginning(min(keep, len(panel))))
        assert places is not None  # a part holds the whole's beginning
        taken(places, panel, made.images, verdict.outcomes).save(samples_path(path))
    write_json(path, asdict(record))  # last: the record vouches for the arrays
    return record, True


def _record(
    subject: Subject,
    named: NamedAttack,
    panel: Panel,
    source: Subject | None,
    verdict: Verdict,
    made: _Made,
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
        seconds=round(made.seconds, 3),
        environment=describe(next(subject.network.parameters()).device),
        engine=named.engine,
        precision=made.precision,
        adaptive=named.adaptive,
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
    if not (path.exists() and path.with_suffix(".npz").exists()):
        return False
    return not keep or _kept(path) >= keep


def _kept(path: Path) -> int:
    """Return how many samples lie beside a record."""
    samples = samples_path(path)
    return len(Samples.load(samples)) if samples.exists() else 0


def _answers(there: Precision, asked: str) -> bool:
    """Tell whether what was searched in one precision will do where another is asked for."""
    return there == "float32" or asked != "float32"


def _made(
    root: Path,
    victim: Subject,
    named: NamedAttack,
    panel: Panel,
    data: Data,
    asked: str,
    *,
    bar: bool,
    title: str = "",
) -> _Made:
    """Return the adversarial images of an attack on `victim`."""
    network, classes, attack = victim.network, victim.run.classes, named.attack
    aim = attack.build_art if named.engine == "art" else aimed(root, victim, named, data, bar=bar)
    device = next(network.parameters()).device
    precision = search_precision(asked, device, attack, named.engine)
    title = title + f"{victim.run.variant}: {named.label}"
    found = adversaries(
        network, classes, attack, panel, title, aim=aim, precision=precision, bar=bar
    )
    return _Made(*found, precision)


def _kept_images(kept: Mapping[str, torch.Tensor], panel: Panel, path: Path) -> NDArray[np.float32]:
    images, seconds = kept.get("images"), kept.get("seconds")
    if images is None or seconds is None or images.shape != panel.x.shape or seconds.numel() != 1:
        raise UserError(f"{path} does not hold the images of this evaluation; delete it")
    return images.float().numpy()


def _transferred(
    root: Path,
    source: Subject,
    named: NamedAttack,
    panel: Panel,
    data: Data,
    asked: str,
    *,
    bar: bool,
) -> _Made:
    """Return the adversarial images of the source, made once and kept."""
    path = root / ADVERSARIALS / f"{named.key(source.checkpoint.sha256, None, panel)}.safetensors"
    contained(root, path)
    if path.exists():
        kept = weights.load_sealed(path, ("images", "seconds"))
        precision: Precision = "bf16" if BF16 in kept else "float32"
        if _answers(precision, asked):
            return _Made(_kept_images(kept, panel, path), float(kept["seconds"]), precision)
    made = _made(root, source, named, panel, data, asked, bar=bar, title="source ")
    stored = {"images": torch.from_numpy(made.images), "seconds": torch.tensor(made.seconds)}
    mark = {BF16: torch.tensor(True)} if made.precision == "bf16" else {}
    weights.save_sealed(path, {**stored, **mark}, {"source": source.run.key})
    return made
