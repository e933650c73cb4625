"""A small run file of tinted noise, as it is written and carried out."""

from pathlib import Path
from typing import Any

import yaml

import tiny
from robench.studies import run_file

TRAIN: dict[str, Any] = {
    "dataset": "folder",
    "epochs": 1,
    "batch_size": 36,
    "lr": 5e-3,
    "ema": 0.5,
    "model.width": 0.1,
    "defenses": {"baseline": {}, "fgm": [{"eps": [0.1, 0.3]}, {"eps": 0.3, "seed": [0, 1]}]},
}
MATCHED: dict[str, Any] = {
    "matched_accuracy": 0.5,
    "tolerance": 0.9,
    "attack": "fgm",
    "images": 6,
    "audit": False,
}
FINAL: dict[str, Any] = {"final": True, "attack": ["cw"], "images": 3, "set": {"cw.steps": 2}}
WHOLE: dict[str, Any] = {
    "title": "Two defenses on  tints",
    "published": "cifar10",
    "train": TRAIN,
    "evaluate": [MATCHED, FINAL],
}


def written(place: Path, name: str = "tints.yaml", **changed: Any) -> Path:
    """Write a run file, with some of its keys changed, and return where it is."""
    path = place / name
    path.write_text(yaml.safe_dump({**WHOLE, **changed}, sort_keys=False))
    return path


def asked(data: Path, place: Path, **changed: Any) -> run_file.RunFile:
    """Return such a file as it is read, of runs under `place / "runs"`."""
    return run_file.read(written(place, **changed), place / "runs", data, "cpu")


def carried_out(data: Path, place: Path, *more: object, **changed: Any) -> tiny.Ended:
    """Carry a run file out by the command."""
    where = ["--runs", place / "runs", "--out", place / "board", "--data-dir", data]
    return tiny.robench("run", written(place, **changed), *where, "--device", "cpu", *more)
