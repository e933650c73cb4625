"""Trained classifiers as attacks meet them, and a fit that is killed at an exact write."""

from pathlib import Path
from typing import Any

from dying import die_at
from robench import fitting
from robench.data import Data
from robench.evaluation import NamedAttack, Subject, open_subject
from robench.planning import classifier_of, data_of
from robench.runs import read_runs
from robench_attacks.pgn import PGN


def opened(runs: Path, data: Data, seed: int = 0) -> Subject:
    """Return the run of a seed, as it was after its last epoch."""
    run = next(run for run in read_runs(runs) if run.spec.seed == seed)
    build = classifier_of(run.spec, run.shape, run.classes)
    return open_subject(runs / run.key, run, run.final.step, build, data.test.x.device)


def fit(write: int, stock: Path, tints: Path, runs: Path, settings: dict[str, Any]) -> None:
    """Fit a generator to a run of `stock` until the `write`-th file would be put in place."""
    data = data_of(read_runs(stock)[0].spec, tints, stock, "cpu")
    subject, named = opened(stock, data), NamedAttack("pgn", PGN(**settings))
    die_at(write)
    fitting.fit(runs, subject, named, data)
