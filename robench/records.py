"""What robench remembers: runs, their checkpoints, matches and evaluations, as plain values.

Accuracies are fractions, norms L2 on [0, 1] images, times seconds. Everything the report says is
computed from these; they are stored as JSON, one file a record.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

FORMAT = 1
"""Version of everything written; a reader refuses what is newer."""

LONGEST = 100
"""Characters of a plugin's name in a file's: systems take some 255 in all."""
Engine = Literal["robench", "art"]
"""Whose implementation of an attack ran."""
Precision = Literal["bf16", "float32"]
Setting = bool | int | float | str
Settings = Mapping[str, Setting]


def digest(value: object, length: int = 10) -> str:
    """Return the first hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides the weights of a run; equal specs share one run folder."""

    defense: str
    settings: Settings
    dataset: str
    dataset_settings: Settings
    data: str
    """Hash of the decoded images and labels."""
    validation: int
    """Training images held out to choose by; 0: the test images are used, as in the paper."""
    model: str
    model_settings: Settings
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    ema: float
    """Decay of the moving average of the weights, per step."""
    precision: Precision
    rung: float
    """Accuracy between two checkpoints kept along training; 0 keeps the final one alone."""

    @cached_property
    def key(self) -> str:
        """Return the run's name, which is also its folder's."""
        names = f"{file_name(self.dataset)}-{file_name(self.defense)}"
        return f"{names}-{digest(asdict(self))}"

    @cached_property
    def protocol(self) -> str:
        """Name what runs must share to be comparable: all but defense, settings and seed."""
        shared = asdict(self)
        for own in ("defense", "settings", "seed"):
            del shared[own]
        return digest(shared, 8)


@dataclass(frozen=True)
class Strength:
    """The setting that a defense is matched by, as the defense declares it."""

    setting: str
    stronger: Literal["up", "down"]


@dataclass(frozen=True)
class Checkpoint:
    """Weights kept at some step of a run, with the accuracy they were kept for."""

    run: str
    step: int
    epoch: float
    accuracy: float
    """Benign accuracy on the validation images (test images where `validation` is 0)."""
    file: str
    """Relative to the run folder."""
    sha256: str
    final: bool


@dataclass(frozen=True)
class Epoch:
    """One line of a run's history."""

    epoch: int
    loss: float
    accuracy: float
    seconds: float
    """Training alone; measuring and writing not counted."""
    perturbation: float
    """Mean L2 norm of the training perturbations."""


@dataclass(frozen=True)
class Run:
    """A finished run as its folder tells it, without the weights."""

    spec: RunSpec
    variant: str
    """The defense with the settings, other than its strength, that differ from its defaults."""
    strength: Strength | None
    classes: int
    shape: tuple[int, int, int]
    environment: Mapping[str, str]
    """Versions, commit, device and command line of the training."""
    history: tuple[Epoch, ...]
    checkpoints: tuple[Checkpoint, ...]

    @property
    def key(self) -> str:
        """Return the run's name."""
        return self.spec.key

    @property
    def final(self) -> Checkpoint:
        """Return the checkpoint of the last epoch."""
        return self.checkpoints[-1]

    def at(self, step: int) -> Checkpoint:
        """Return the checkpoint of a step, which is there."""
        return next(kept for kept in self.checkpoints if kept.step == step)

    @property
    def seconds_per_epoch(self) -> float:
        """Return the median training time of an epoch."""
        seconds = sorted(epoch.seconds for epoch in self.history)
        return seconds[len(seconds) // 2]


@dataclass(frozen=True)
class Match:
    """The checkpoint that stands for one variant of a defense at one benign accuracy."""

    protocol: str
    variant: str
    defense: str
    seed: int
    target: float
    tolerance: float
    how: Literal["final", "training", "unmatched"]
    run: str
    """Where unmatched: the run that came nearest."""
    step: int
    accuracy: float
    advice: str
    """What to try where unmatched; empty otherwise."""


@dataclass(frozen=True)
class Evaluation:
    """One checkpoint under one attack; the per-image results lie beside it in `KEY.npz`."""

    run: str
    step: int
    weights: str
    """SHA-256 of the attacked checkpoint."""
    attack: str
    settings: Settings
    minimal: bool
    radius: float | None
    source: str | None
    """The run the adversarial images were made on; None: on the attacked one (white-box)."""
    source_weights: str | None
    images: str
    """Hash of the images' indices and pixels."""
    count: int
    violations: int
    """Adversarial images outside the box or the radius; counted as failures of the attack."""
    seconds: float
    environment: Mapping[str, str]
    engine: Engine = "robench"
    precision: Precision = "float32"
    """What the attack searched in; the outcomes are of float32 in any case."""
    adaptive: bool = False
    """Whether the attack was made for the defense, with networks that it trained."""

    @cached_property
    def key(self) -> str:
        """Return the record's name: equal names mean equal results, up to `precision`."""
        made_by = (self.attack, self.settings, self.source_weights)
        return evaluation_key(self.weights, *made_by, self.images, self.engine)

    @property
    def white_box(self) -> bool:
        """Tell whether the attack saw the attacked network."""
        return self.source is None


Verdict = Literal["pass", "warn", "fail", "skipped"]
"""What a check of an audit came to; `skipped` where it does not apply."""
Family = Literal["integrity", "strength", "masking", "comparability"]
"""What a check is about: the wrapper, the attacks, hidden gradients, or the table as a whole."""


@dataclass(frozen=True)
class Finding:
    """What one check of an audit found, in words and numbers as they are shown."""

    check: str
    family: Family
    verdict: Verdict
    measured: str
    threshold: str
    remedy: str


@dataclass(frozen=True)
class Audit:
    """What all checks found on one checkpoint and its evaluations."""

    run: str
    step: int
    weights: str
    """SHA-256 of the audited checkpoint."""
    evaluations: tuple[str, ...]
    """Keys of the evaluations that the checks have seen."""
    findings: tuple[Finding, ...]
    count: int
    """Images that the network was probed with."""
    seconds: float
    environment: Mapping[str, str]
    matches: str = ""
    """Hash of the matches that it saw; older ones lack it."""

    @property
    def key(self) -> str:
        """Return the record's name: a checkpoint has one audit, the latest."""
        return audit_key(self.run, self.step)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """Return what un-ranks the network: failures, those of comparability aside."""
        return tuple(
            one for one in self.findings if one.verdict == "fail" and one.family != "comparability"
        )

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return what should be read beside the network's numbers, and does not un-rank it."""
        told, failed = ("warn", "fail"), self.failed
        return tuple(one for one in self.findings if one.verdict in told and one not in failed)


def audit_key(run: str, step: int) -> str:
    """Name the audit of a run's checkpoint."""
    return f"{run}-{step:07d}"


def evaluation_key(
    weights: str,
    attack: str,
    settings: Settings,
    source_weights: str | None,
    images: str,
    engine: Engine = "robench",
) -> str:
    """Name an evaluation by what decides its result."""
    side = "white" if source_weights is None else "black"
    parts = [weights, attack, dict(settings), source_weights, images]
    if engine != "robench":
        side, parts = f"{engine}-{side}", [*parts, engine]
    return f"{file_name(attack)}-{side}-{digest(parts, 12)}"


def signed(attack: str, engine: Engine) -> str:
    """Return an attack's name, and that it was ART's where it was: results are set apart."""
    return attack if engine == "robench" else f"{attack} ({engine.upper()})"


def file_name(plugin: str) -> str:
    """Return a plugin's name without the hash of its file and what paths may not hold."""
    return "".join(c if c.isalnum() else "-" for c in plugin.partition("@")[0])[:LONGEST]
