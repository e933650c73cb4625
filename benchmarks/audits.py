"""How often the audit is wrong: on honestly trained networks, and on deliberately broken ones.

python benchmarks/audits.py --seeds 5 --json benchmarks/results/audits.json

Trains the built-in defenses on digits with several seeds, attacks every final checkpoint by both
presets, by the paper's black-box too, and audits it: an audit that fails is a false alarm. Then
each broken defense is put around two of the networks, attacked and audited in its place.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from robench import archive, panel
from robench.arsenal import chosen_attacks, suits
from robench.audit.auditing import audited
from robench.audit.broken import BROKEN
from robench.campaign import opened
from robench.data import Data
from robench.environment import describe
from robench.evaluation import Subject, evaluate
from robench.files import write
from robench.planning import Request, plan
from robench.records import Audit
from robench.runs import read_run

DEFENSES = ("baseline", "fgm", "pgd", "pgn")
INSIDE = ("baseline", "pgd")
"""What a broken defense is put around."""
SETTINGS: dict[str, dict[str, float]] = {"pgn": {"generator_width": 0.25, "c_l": 5.0}}
IMAGES = 256
SOURCE_SEED = 1000
SLOW = {"square.images": 30, "hopskipjump.images": 30}
FEW = ("fgm", "apgd", "walk", "cw")
"""Attacks that a broken defense is shown."""


@dataclass(frozen=True)
class Line:
    """One audit: of whom, and what it came to."""

    name: str
    defense: str
    seed: int
    failed: tuple[str, ...]
    warned: tuple[str, ...]
    missed: tuple[str, ...]
    """Checks that had to fail and did not."""
    seconds: float


def trained(root: Path, defense: str, seed: int, epochs: int) -> tuple[Subject, Data]:
    """Return the final network of a run, trained or read."""
    settings = {"model.width": 0.25, **SETTINGS.get(defense, {})}
    planned = plan(
        Request(
            defense,
            settings,
            dataset="digits",
            epochs=epochs,
            batch_size=32,
            ema=0.99,
            seed=seed,
            runs=root,
        )
    )
    for _ in planned.train():
        pass
    run = read_run(root / planned.spec.key)
    return opened(root / run.key, run, run.final.step, planned.data), planned.data


def honest(root: Path, defense: str, seed: int, epochs: int) -> Line:
    """Train, attack by both presets and audit one network."""
    subject, data = trained(root, defense, seed, epochs)
    source, _ = trained(root, "baseline", SOURCE_SEED, epochs)
    images = panel.choose(data, IMAGES, 0)
    for named in chosen_attacks("paper", (), {}):
        for made_on in (None, source):
            evaluate(root, subject, named, images, made_on, data=data)
    for named in chosen_attacks("strong", (), SLOW):
        if suits(named, subject.trained.spec):
            evaluate(root, subject, named, images, data=data)
    audit, _ = audited(root, subject, data, archive.read(root))
    return line("honest", subject, audit, ())


def broken(root: Path, name: str, defense: str, epochs: int) -> Line:
    """Attack and audit a network with a broken defense around it."""
    subject, data = trained(root, defense, 0, epochs)
    images = panel.choose(data, IMAGES // 2, 0)
    network = BROKEN[name].breaks(subject.network, images).eval()
    around = replace(subject, network=network)
    with tempfile.TemporaryDirectory() as folder:
        for named in chosen_attacks("strong", FEW, {}):
            evaluate(Path(folder), around, named, images, data=data)
        audit, _ = audited(Path(folder), around, data, archive.read(Path(folder)))
    return line(name, subject, audit, BROKEN[name].caught_by)


def line(name: str, subject: Subject, audit: Audit, wanted: Sequence[str]) -> Line:
    """Return what an audit came to."""
    failed = tuple(one.check for one in audit.failed)
    return Line(
        name=name,
        defense=subject.trained.spec.defense,
        seed=subject.trained.spec.seed,
        failed=failed,
        warned=tuple(one.check for one in audit.findings if one.verdict == "warn"),
        missed=tuple(check for check in wanted if check not in failed),
        seconds=audit.seconds,
    )


def lines(root: Path, seeds: Sequence[int], epochs: int) -> Iterator[Line]:
    """Yield all audits, the honest networks' first."""
    for seed in seeds:
        for defense in DEFENSES:
            yield honest(root, defense, seed, epochs)
    for name in BROKEN:
        for defense in INSIDE:
            yield broken(root, name, defense, epochs)


def main() -> None:
    """Print every audit as it is done, and write all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--runs", type=Path, default=Path("runs-audits"))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    done = []
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    for one in lines(asked.runs, seeds, asked.epochs):
        done.append(one)
        print(json.dumps(asdict(one)), flush=True)
    good = [one for one in done if one.name == "honest"]
    result = {
        "honest": len(good),
        "false_alarms": sum(bool(one.failed) for one in good),
        "broken": len(done) - len(good),
        "missed": sum(bool(one.missed) for one in done),
        "slowest_seconds": max(one.seconds for one in done),
        "images": IMAGES,
        "epochs": asked.epochs,
        "environment": describe(torch.device("cpu")),
        "audits": [asdict(one) for one in done],
    }
    print({key: result[key] for key in ("honest", "false_alarms", "broken", "missed")})
    if asked.json:
        write(asked.json, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
