"""Small record folders made by hand, in the form that training and evaluating leave them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from robench import files
from robench.outcomes import Outcomes
from robench.records import (
    Audit,
    Checkpoint,
    Engine,
    Epoch,
    Evaluation,
    Family,
    Finding,
    Match,
    Precision,
    Run,
    RunSpec,
    Setting,
    Strength,
    Verdict,
    digest,
)
from robench.runs import SEAL, RunFolder, vouch, write_json, write_manifest, write_rows
from robench.study_record import Study

ENVIRONMENT = {
    "python": "3.11.7",
    "torch": "2.9.0",
    "torchvision": "0.24.0",
    "adversarial-robustness-toolbox": "1.20.1",
    "robench": "0.1.0",
    "commit": "0123abcd",
    "device": "CPU, 2 cores",
    "threads": "2",
}
SPEC = RunSpec(
    defense="baseline",
    settings={},
    dataset="digits",
    dataset_settings={"flip": False, "pad": 2},
    data="d" * 64,
    validation=120,
    model="convpool",
    model_settings={"width": 0.25},
    seed=0,
    epochs=2,
    batch_size=128,
    learning_rate=5e-4,
    ema=0.998,
    precision="float32",
    rung=0.005,
)

PAPERS = {
    "confidence": 0.0,
    "learning_rate": 0.005,
    "searches": 5,
    "steps": 100,
    "initial_constant": 0.01,
    "abort_early": True,
}
"""The paper's settings of its minimal attack, as records had them before it knew more."""


def outcomes(
    clean: Sequence[bool], distance: ArrayLike, adversarial: Sequence[int] | None = None
) -> Outcomes:
    """Return outcomes of label 1: `clean` tells who is right, an infinite distance who resists.

    A perturbation that failed has the norm 0.5.
    """
    length = np.asarray(distance, dtype=np.float32)
    success = np.isfinite(length)
    fooled = np.where(success, 0, 1) if adversarial is None else np.asarray(adversarial)
    return Outcomes(
        index=np.arange(len(length), dtype=np.int32),
        label=np.ones(len(length), dtype=np.int16),
        clean=np.where(np.asarray(clean, dtype=bool), 1, 0).astype(np.int16),
        adversarial=fooled.astype(np.int16),
        distance=length,
        success=success,
        norm=np.where(success, length, np.float32(0.5)),
    )


def drawn(seed: int, scale: float, count: int = 200, failing: float = 0.0) -> Outcomes:
    """Return outcomes with distances of mean `scale`, one image in ten misclassified."""
    generator = np.random.default_rng(seed)
    clean = np.arange(count) % 10 != 0
    length = scale * generator.gamma(4.0, 0.25, count)
    length[clean & (generator.random(count) < failing)] = np.inf
    return outcomes(clean.tolist(), np.where(clean, length, 0.0))


@dataclass(frozen=True)
class Recorder:
    """Writes records into a runs folder."""

    root: Path
    spec: RunSpec = SPEC
    environment: Mapping[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))

    def run(
        self,
        defense: str = "baseline",
        settings: Mapping[str, Setting] | None = None,
        strength: Strength | None = None,
        seed: int = 0,
        variant: str | None = None,
        source: bool = False,
    ) -> Run:
        """Write a finished run of two checkpoints and return it."""
        spec = replace(self.spec, defense=defense, settings=settings or {}, seed=seed)
        kept = [
            Checkpoint(spec.key, step, epoch, accuracy, file, digest([spec.key, step], 64), final)
            for step, epoch, accuracy, file, final in (
                (5, 0.5, 0.6912, "rungs/step-5.safetensors", False),
                (20, 2.0, 0.7031, "final.safetensors", True),
            )
        ]
        command = {"command": f"robench train --defense {defense} --seed {seed}"}
        run = Run(
            spec=spec,
            variant=variant or defense,
            strength=strength,
            classes=10,
            shape=(1, 8, 8),
            environment={**self.environment, **command},
            history=(Epoch(1, 2.0, 0.5, 8.5, 0.1), Epoch(2, 1.5, 0.7, 8.25, 0.1)),
            checkpoints=tuple(kept),
        )
        folder = RunFolder((self.root / "sources" if source else self.root) / run.key)
        write_manifest(folder, run)
        write_rows(folder.history, Epoch, run.history)
        write_rows(folder.checkpoints, Checkpoint, run.checkpoints)
        files.write(folder.final, b"weights, which are no record")
        vouch(folder)
        return run

    def evaluation(
        self,
        run: Run,
        attack: str,
        measured: Outcomes,
        minimal: bool = True,
        source: Run | None = None,
        step: int = 20,
        settings: Mapping[str, Setting] | None = None,
        images: str = "i" * 64,
        violations: int = 0,
        engine: Engine = "robench",
        precision: Precision = "float32",
        adaptive: bool = False,
    ) -> Evaluation:
        """Write one evaluation with its outcomes and return it."""
        kept = next(one for one in run.checkpoints if one.step == step)
        evaluation = Evaluation(
            run=run.key,
            step=step,
            weights=kept.sha256,
            attack=attack,
            settings=settings or {"steps": 100},
            minimal=minimal,
            radius=None if minimal else 0.5,
            source=source.key if source else None,
            source_weights=source.final.sha256 if source else None,
            images=images,
            count=len(measured.label),
            violations=violations,
            seconds=3.5,
            environment={
                **self.environment,
                "command": "robench eval --matched-accuracy 0.70",
            },
            engine=engine,
            precision=precision,
            adaptive=adaptive,
        )
        path = self.root / "evaluations" / f"{evaluation.key}.json"
        measured.save(path.with_suffix(".npz"))
        write_json(path, asdict(evaluation))
        return evaluation

    def audit(
        self,
        run: Run,
        findings: Sequence[Finding] = (),
        evaluations: Sequence[Evaluation] | None = None,
        step: int = 20,
    ) -> Audit:
        """Write the audit of a checkpoint; None: it has seen all evaluations of the run."""
        kept = next(one for one in run.checkpoints if one.step == step)
        paths = sorted((self.root / "evaluations").glob("*.json"))
        there = [path.stem for path in paths if json.loads(path.read_text())["run"] == run.key]
        seen = there if evaluations is None else [one.key for one in evaluations]
        audit = Audit(
            run=run.key,
            step=step,
            weights=kept.sha256,
            evaluations=tuple(seen),
            findings=tuple(findings) or (finding("clean_match", "pass"),),
            count=64,
            seconds=2.5,
            environment={**self.environment, "command": "robench audit"},
        )
        write_json(self.root / "audits" / f"{audit.key}.json", asdict(audit))
        return audit

    def matches(self, rows: Sequence[Match]) -> Path:
        """Write the matches of one protocol and target."""
        path = self.root / "matches" / f"{rows[0].protocol}-{rows[0].target:.4f}.json"
        write_json(path, {"rows": [asdict(row) for row in rows]})
        return path

    def study(
        self, published: str = "none", name: str = "main", title: str = "The main study"
    ) -> Study:
        """Write what a run file asked of this recorder's protocol."""
        study = Study(
            name=name,
            title=title,
            protocol=self.spec.protocol,
            published=published,
            file="title: The main study\n",
            environment={**self.environment, "command": f"robench run {name}.yaml"},
        )
        write_json(self.root / "studies" / f"{name}.json", asdict(study))
        return study


def finding(check: str, verdict: Verdict, family: Family = "integrity") -> Finding:
    """Return what a check found, with numbers that tell it from others."""
    return Finding(check, family, verdict, "0.25", "at least 0.5", "raise it")


def rewrite(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON record by another, as if robench had written that."""
    write_json(path, {name: value for name, value in content.items() if name != SEAL})
    if (path.parent / "DONE").exists():
        vouch(RunFolder(path.parent))


def match(
    run: Run,
    how: Literal["final", "training", "unmatched"] = "final",
    advice: str = "",
    target: float = 0.7,
    step: int | None = None,
) -> Match:
    """Return the match of a recorded run at one of its checkpoints."""
    chosen = step or (5 if how == "training" else 20)
    kept = next(one for one in run.checkpoints if one.step == chosen)
    return Match(
        protocol=run.spec.protocol,
        variant=run.variant,
        defense=run.spec.defense,
        seed=run.spec.seed,
        target=target,
        tolerance=0.005,
        how=how,
        run=run.key,
        step=chosen,
        accuracy=kept.accuracy,
        advice=advice,
    )


EPS = Strength("eps", "up")
