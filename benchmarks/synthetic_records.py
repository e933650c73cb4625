"""A folder of records as training, matching, attacking and auditing leave them, without any of it.

Distances are drawn: some images are hard for all networks, each network is harder or easier by a
factor, and each attack reaches somewhat further than the nearest error. Everything is written by
the functions that write real records, so that reading them costs what it costs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robench.archive import AUDITS, EVALUATIONS, SOURCES, matches_path
from robench.outcomes import Outcomes
from robench.records import (
    Audit,
    Checkpoint,
    Epoch,
    Evaluation,
    Finding,
    Match,
    Run,
    RunSpec,
    Strength,
    digest,
)
from robench.runs import RunFolder, vouch, write_json, write_manifest, write_rows

ATTACKS = (
    *(("apgd", 0.5), ("fgm", 0.5), ("mim", 0.5), ("pgd", 0.5)),
    *(("cw", None), ("ddn", None), ("deepfool", None), ("fmn", None), ("sdf", None)),
    ("walk", None),
)
"""Each with its radius, or none where it is minimal; run white-box and black-box."""
DEFENSES = ("baseline", "fgm", "pgd", "pgn")
CHECKS = 18
"""Findings of an audit, one of which warns."""
RUNGS = 12
"""Checkpoints along training, the final one aside."""
EPOCHS = 8
TARGET = 0.6
EPS = Strength("eps", "up")
ENVIRONMENT = {
    "python": "3.11.7",
    "robench": "0.1.0",
    "torch": "2.15.0",
    "torchvision": "0.29.2",
    "adversarial-robustness-toolbox": "1.20.1",
    "numpy": "2.4.6",
    "commit": "0123456789ab",
    "device": "one of two cores",
    "threads": "1",
}
SPEC = RunSpec(
    defense="baseline",
    settings={},
    dataset="folder",
    dataset_settings={"flip": True, "pad": 4},
    data="d" * 16,
    validation=5000,
    model="convpool",
    model_settings={"width": 0.25},
    seed=0,
    epochs=EPOCHS,
    batch_size=128,
    learning_rate=5e-4,
    ema=0.998,
    precision="bf16",
    rung=0.005,
)


@dataclass(frozen=True)
class Panel:
    """The attacked images: position, label and how hard each is for any network."""

    index: NDArray[np.int32]
    label: NDArray[np.int16]
    hard: NDArray[np.float64]


def make(root: Path, variants: int, seeds: int, images: int) -> int:
    """Write the records of `variants` x `seeds` networks; return how many evaluations there are."""
    generator = np.random.default_rng(0)
    label = generator.permutation(np.arange(images) % 10).astype(np.int16)
    index = generator.permutation(10 * images)[:images].astype(np.int32)
    panel = Panel(index, label, generator.gamma(3.0, 1 / 3, images))
    source = _run(root / SOURCES, replace(SPEC, seed=1000), "baseline", None)
    matches, count = [], 0
    for place in range(variants):
        for seed in range(seeds):
            run = _trained(root, place, seed)
            matches.append(_match(run))
            kept = [
                _evaluation(root, run, attack, radius, made_on, measured)
                for attack, radius, made_on, measured in _attacked(panel, place, seed, source)
            ]
            _audit(root, run, kept)
            count += len(kept)
    write_json(matches_path(root, matches[0]), {"rows": [asdict(one) for one in matches]})
    return count


def _trained(root: Path, place: int, seed: int) -> Run:
    defense = DEFENSES[place % len(DEFENSES)]
    number = place // len(DEFENSES)
    strength = {} if defense == "baseline" else {"eps": 0.1}
    own = {"reading": number} if number else {}
    spec = replace(SPEC, defense=defense, settings={**strength, **own}, seed=seed)
    variant = f"{defense} (reading={number})" if number else defense
    return _run(root, spec, variant, EPS if strength else None)


def _run(root: Path, spec: RunSpec, variant: str, strength: Strength | None) -> Run:
    steps = [352 * EPOCHS * (place + 1) // (RUNGS + 1) for place in range(RUNGS + 1)]
    kept = tuple(
        Checkpoint(
            run=spec.key,
            step=step,
            epoch=round(step / 352, 3),
            accuracy=round(TARGET * step / steps[-1], 4),
            file="final.safetensors" if step == steps[-1] else f"rungs/step-{step:07d}.safetensors",
            sha256=digest([spec.key, step], 64),
            final=step == steps[-1],
        )
        for step in steps
    )
    history = tuple(
        Epoch(one, 2.0 / one, TARGET * one / EPOCHS, 21.0 + 0.1 * one, 0.1)
        for one in range(1, EPOCHS + 1)
    )
    command = f"robench train --defense {spec.defense} --dataset folder --seed {spec.seed}"
    environment = {**ENVIRONMENT, "command": command}
    run = Run(spec, variant, strength, 10, (3, 32, 32), environment, history, kept)
    folder = RunFolder(root / run.key)
    write_manifest(folder, run)
    write_rows(folder.history, Epoch, history)
    write_rows(folder.checkpoints, Checkpoint, kept)
    vouch(folder)
    return run


def _match(run: Run) -> Match:
    return Match(
        protocol=run.spec.protocol,
        variant=run.variant,
        defense=run.spec.defense,
        seed=run.spec.seed,
        target=TARGET,
        tolerance=0.005,
        how="final",
        run=run.key,
        step=run.final.step,
        accuracy=run.final.accuracy,
        advice="",
    )


def _attacked(
    panel: Panel, place: int, seed: int, source: Run
) -> Iterator[tuple[str, float | None, Run | None, Outcomes]]:
    """Yield each attack with its radius, what its images were made on, and what it came to."""
    generator = np.random.default_rng([1, place, seed])
    count = len(panel.label)
    right = generator.random(count) > 0.4
    guess = ((panel.label + generator.integers(1, 10, count)) % 10).astype(np.int16)
    scale = generator.uniform(0.3, 0.9)
    nearest = scale * panel.hard * generator.gamma(8.0, 1 / 8, count) + 1e-3
    for made_on, further in ((None, 1.0), (source, 3.0)):
        for attack, radius in ATTACKS:
            reach = nearest * further * (1 + generator.gamma(1.0, 0.1, count))
            yield attack, radius, made_on, _outcomes(panel, right, guess, reach, radius)


def _outcomes(
    panel: Panel,
    right: NDArray[np.bool_],
    guess: NDArray[np.int16],
    reach: NDArray[np.float64],
    radius: float | None,
) -> Outcomes:
    """Return what an attack came to whose images err from `reach` on; `guess` where it errs."""
    success = ~right | (reach <= radius if radius else np.ones_like(right))
    spent = reach if radius is None else np.full_like(reach, radius)
    norm = np.where(right, spent, 0.0).astype(np.float32)
    return Outcomes(
        index=panel.index,
        label=panel.label,
        clean=np.where(right, panel.label, guess),
        adversarial=np.where(success, guess, panel.label),
        distance=np.where(success, norm, np.float32(np.inf)),
        success=success,
        norm=norm,
    )


def _evaluation(
    root: Path, run: Run, attack: str, radius: float | None, source: Run | None, measured: Outcomes
) -> Evaluation:
    record = Evaluation(
        run=run.key,
        step=run.final.step,
        weights=run.final.sha256,
        attack=attack,
        settings={"eps": radius, "steps": 40} if radius else {"steps": 100, "searches": 5},
        minimal=radius is None,
        radius=radius,
        source=source.key if source else None,
        source_weights=source.final.sha256 if source else None,
        images=digest(measured.index.tolist(), 16),
        count=len(measured.label),
        violations=0,
        seconds=12.5,
        environment={**ENVIRONMENT, "command": "robench eval --matched-accuracy 0.60"},
        precision="bf16",
    )
    path = root / EVALUATIONS / f"{record.key}.json"
    measured.save(path.with_suffix(".npz"))
    write_json(path, asdict(record))
    return record


def _audit(root: Path, run: Run, seen: Sequence[Evaluation]) -> None:
    said = ("measured 0.02 of the largest", "at most 0.05 of the largest")
    findings = [
        Finding(f"check_{one}", "strength", "pass" if one else "warn", *said, "attack for longer")
        for one in range(CHECKS)
    ]
    audit = Audit(
        run=run.key,
        step=run.final.step,
        weights=run.final.sha256,
        evaluations=tuple(sorted(one.key for one in seen)),
        findings=tuple(findings),
        count=64,
        seconds=12.5,
        environment={**ENVIRONMENT, "command": "robench audit"},
    )
    write_json(root / AUDITS / f"{audit.key}.json", asdict(audit))
