"""Runs small enough to train in a test, and the command line, called as a person calls it."""

import hashlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from robench.cli import main
from robench.planning import Plan, Request, plan
from robench.records import Epoch, Run, Setting
from robench.runs import read_run

CLASSES = ("blue", "green", "red")
SMALL = {
    "dataset": "folder",
    "epochs": 1,
    "batch_size": 36,
    "learning_rate": 5e-3,
    "ema": 0.5,
    "device": "cpu",
}
"""Of a request: one epoch of two steps on `folder`; learns its colours within some ten."""
SETTINGS: Mapping[str, Mapping[str, Setting]] = {"pgn": {"generator_width": 0.05}}
"""What keeps a defense small."""


def folder(root: Path, *, train: int = 24, test: int = 12, size: int = 8, seed: int = 0) -> Path:
    """Write noise in three tints, so many images a class, as the data set `folder` reads it."""
    noise = np.random.default_rng(seed)
    for split, count in (("train", train), ("test", test)):
        for tint, name in enumerate(reversed(CLASSES)):
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = noise.integers(0, 156, (size, size, 3))
                pixels[..., tint] += 60
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number:02}.png")
    return root


def planned(defense: str, data: Path | None, runs: Path, **request: Any) -> Plan:
    """Return the plan of a small run on the images under `data`; `request` overrides."""
    own = {"model.width": 0.1, **SETTINGS.get(defense, {}), **request.pop("settings", {})}
    return plan(Request(defense, own, data_dir=data, runs=runs, **{**SMALL, **request}))


def stepwise(wanted: Plan) -> Iterator[Epoch]:
    """Train what is planned, an epoch at each step."""
    return wanted.train()


def epochs(wanted: Plan) -> list[Epoch]:
    """Train what is planned; return the epochs that this took."""
    return list(stepwise(wanted))


def trained(defense: str, data: Path | None, runs: Path, **request: Any) -> Run:
    """Train a small run to its end and read it back."""
    wanted = planned(defense, data, runs, **request)
    epochs(wanted)
    return read_run(runs / wanted.spec.key)


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    """Return the hash and the time of change of every file under `root`, decoded images apart."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


def robench(*arguments: object) -> Ended:
    """Run the command line in this process."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        sys.argv = ["robench", *map(str, arguments)]
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.argv = argv
    assert isinstance(code, int)
    return Ended(code, out.getvalue(), err.getvalue())


def options(data: Path, runs: Path, **more: object) -> list[object]:
    """Return the options of `robench train` for a small run; `more` overrides."""
    given = {
        "dataset": "folder",
        "data-dir": data,
        "runs": runs,
        "width": 0.1,
        "epochs": 1,
        "batch-size": 36,
        "lr": 5e-3,
        "ema": 0.5,
        "device": "cpu",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return [word for name, value in given.items() for word in (f"--{name}", value)]
