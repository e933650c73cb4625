"""A small folder of records of every kind, to be changed by tests of hostile input."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import get_args

import numpy as np

from recordings import ENVIRONMENT, EPS, Recorder, drawn, match
from robench.archive import STUDIES
from robench.imported.record import IMPORTED, MANIFEST, STEP, Imported
from robench.outcomes import Outcomes
from robench.records import Evaluation, Run
from robench.reproduction.recipe import Kind
from robench.reproduction.record import Cell, Reproduction, Shown, write
from robench.runs import SEAL, write_json
from robench.samples import Samples, samples_path
from robench.study_record import Study

COUNT = 6


def records(root: Path) -> Path:
    """Write runs, a source, evaluations, images, matches and what is reported; return `root`."""
    recorder = Recorder(root)
    source = recorder.run(seed=1, source=True)
    runs = [recorder.run("fgm", {"eps": eps}, EPS) for eps in (0.1, 0.2)]
    runs.append(recorder.run())
    cells = []
    for place, run in enumerate(runs):
        far = recorder.evaluation(run, "cw", drawn(place, 0.5, COUNT))
        near = recorder.evaluation(run, "mim", drawn(place, 0.5, COUNT), minimal=False)
        black = recorder.evaluation(run, "mim", drawn(9, 0.5, COUNT), False, source)
        recorder.audit(run)
        _keep(root, far, drawn(place, 0.5, COUNT))
        cells += [_cell(run, far, None), _cell(run, near, black)]
    lost = match(runs[1], "unmatched", "try --set eps=0.3")
    recorder.matches([match(runs[0]), match(runs[2], "training"), lost])
    shown = tuple(
        Shown(
            kind, f"A {kind}", tuple(cells[::2] if kind == "gallery" else cells), (lost,), True, 2
        )
        for kind in get_args(Kind)
    )
    texts = dict.fromkeys(("title", "section", "claim", "note"), "Words")
    made = Reproduction(
        recipe="figure5",
        dataset="digits",
        classes=tuple("0123456789"),
        scale="smoke",
        values={"epochs": 2, "seeds": [0]},
        published="cifar10",
        shown=shown,
        failures=("one failed",),
        environment=ENVIRONMENT,
        **texts,
    )
    write(root, made)
    own = _imported(root)
    for attacked in (far, near):
        record = replace(attacked, run=own.key, step=STEP, weights=own.weights)
        drawn(5, 0.5, COUNT).save(root / "evaluations" / f"{record.key}.npz")
        write_json(root / "evaluations" / f"{record.key}.json", asdict(record))
    study = Study("tints", "Words", runs[0].spec.protocol, "cifar10", "title: Words", ENVIRONMENT)
    write_json(root / STUDIES / f"{study.name}.json", asdict(study))
    return unsealed(root)


def _imported(root: Path) -> Imported:
    """Write a classifier that robench did not train, without its weights, and return it."""
    words = dict.fromkeys(("name", "factory", "origin", "dataset", "data"), "words")
    hashes = dict.fromkeys(("layers", "origin_sha256", "tensors", "weights"), "a" * 64)
    own = Imported(
        **words,
        **hashes,
        settings={"width": 2},
        dataset_settings={},
        mean=(0.5,),
        std=(0.25,),
        classes=10,
        shape=(1, 8, 8),
        accuracy=0.5,
        notes=("words",),
        environment=ENVIRONMENT,
    )
    write_json(root / IMPORTED / own.key / MANIFEST, asdict(own))
    return own


def unsealed(root: Path) -> Path:
    """Take the hashes out of all records, as whoever forges one does; return `root`.

    With them, nearly every change would end at the hash, and what lies behind go untried.
    """
    for path in root.rglob("*.json"):
        content = json.loads(path.read_text())
        content.pop(SEAL, None)
        path.write_text(json.dumps(content, indent=1) + "\n")
    for path in root.rglob("*.npz"):
        with np.load(path) as there:
            np.savez_compressed(path, **there)
    for path in root.rglob("DONE"):
        path.write_text("")
    return root


def _cell(run: Run, evaluation: Evaluation, black: Evaluation | None) -> Cell:
    own = "" if evaluation.minimal else "eps=0.5"
    names = (run.variant, 0.7, evaluation.attack, own, evaluation.key)
    return Cell(run.key, evaluation.step, *names, black.key if black else None)


def _keep(root: Path, evaluation: Evaluation, outcomes: Outcomes) -> None:
    x = np.full((COUNT, 1, 8, 8), 0.5, dtype=np.float32)
    arrays = (outcomes.index, outcomes.label, outcomes.clean, outcomes.adversarial)
    kept = Samples(*arrays, x, x + np.float32(0.1))
    kept.save(samples_path(root / "evaluations" / f"{evaluation.key}.json"))
