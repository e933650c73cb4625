"""Records to ask about, and the one answer to a question."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from recordings import EPS, PAPERS, Recorder, drawn, finding, match
from robench import archive
from robench.explanation import Explanation
from robench.provenance import explain


def seeded(root: Path) -> None:
    """Record what makes rows, attacks and numbers hard to tell apart."""
    recorder = Recorder(root)
    source = recorder.run(seed=9, source=True)
    runs = [recorder.run("gan", {"c": 1.0}, seed=seed) for seed in (0, 1)]
    runs += [recorder.run("gan", {"c": 2.0}, seed=0, variant="gan (mode=text, width=2)")]
    for place, run in enumerate(runs):
        for steps in (10, 100):
            far = drawn(place + steps, 0.3, 60)
            recorder.evaluation(run, "near", far, settings={"steps": steps})
        recorder.evaluation(run, "step", drawn(place, 0.4, 60, 0.5), minimal=False, source=source)
    recorder.evaluation(runs[2], "own", drawn(7, 0.4, 60), adaptive=True)
    recorder.evaluation(runs[0], "hop", drawn(3, 0.2, 20), images="part")
    recorder.evaluation(runs[0], "hop", drawn(3, 0.2, 30), images="other part")
    for run in runs[:2]:
        recorder.audit(run, [finding("slow", "warn", "strength")])
    recorder.matches([match(run) for run in runs])


def pairs(root: Path) -> None:
    """Record a study of two targets: pairs, curves and what the paper has."""
    recorder = Recorder(root)
    runs = {
        (name, eps): recorder.run(name, {"eps": eps} if eps else {}, EPS if eps else None)
        for name, eps in (("baseline", 0.0), *((n, e) for n in ("fgm", "pgd") for e in (0.1, 0.2)))
    }
    for place, ((name, eps), run) in enumerate(runs.items()):
        far = drawn(place, 0.2 + eps + 0.3 * (name == "pgd"), 60)
        clean = np.where(np.arange(60) < 10 + 100 * eps, 0, far.clean).astype(np.int16)
        distance = np.where(clean == 1, far.distance, 0.0).astype(np.float32)
        measured = replace(far, clean=clean, distance=distance)
        recorder.evaluation(run, "cw", measured, settings=PAPERS)
        recorder.evaluation(run, "near", measured)
        recorder.audit(run)
    for at, eps in ((0.7, 0.1), (0.65, 0.2)):
        own = [run for (name, e), run in runs.items() if e == eps or name == "baseline"]
        recorder.matches([match(run, target=at) for run in own])
    recorder.study("cifar10")


def one(root: Path, question: str) -> Explanation:
    """Return the one explanation of a question."""
    (said,) = explain(archive.read(root), question)
    return said
