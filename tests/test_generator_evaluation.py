"""The generator of the defense as an attack of an evaluation: its own run's, on pgn alone."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import tiny
from robench.campaign import Campaign, conduct, opened
from robench.errors import UserError
from robench.estimator import wrap
from robench.evaluation import NamedAttack, Subject, evaluate
from robench.fitting import read_networks
from robench.panel import Panel, choose
from robench.planning import data_of, defense_of
from robench.records import Evaluation
from robench.runs import read_runs
from robench_attacks.generator import Generator

TRAINING = {"epochs": 6, "batch_size": 8, "precision": "float32"}


@pytest.fixture(scope="module")
def stock(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return runs of PGN and of the baseline; not to be changed."""
    runs = tmp_path_factory.mktemp("stock")
    for defense in ("baseline", "pgn"):
        tiny.trained(defense, tints, runs, **TRAINING)
    return runs


def subject(runs: Path, tints: Path) -> tuple[Subject, Panel, Any]:
    """Return the last checkpoint of the run of PGN, all test images, and the data."""
    run = next(one for one in read_runs(runs) if one.spec.defense == "pgn")
    data = data_of(run.spec, tints, runs, "cpu")
    return opened(runs / run.key, run, run.final.step, data), choose(data, None, 0), data


@pytest.mark.parametrize("steps", [0, 3])
def test_an_evaluation_attacks_with_the_runs_own_generator(
    steps: int, runs: Path, tints: Path
) -> None:
    victim, panel, data = subject(runs, tints)
    attack = Generator(steps=steps)
    named = NamedAttack("generator", attack)
    given = {"data": data, "precision": "float32"}
    record, new = evaluate(runs, victim, named, panel, **given, keep=len(panel))
    assert (new, record.adaptive, record.minimal, record.violations) == (True, True, True, 0)
    assert record.white_box
    right = _correct(victim, panel)
    game = defense_of(victim.trained.spec)
    assert game is not None
    networks = read_networks(runs / victim.run.key, game, victim.network, data)
    estimator = wrap(victim.network, data.shape, len(data.classes))
    made = [
        attack.aim_at(estimator, game, networks, batch).generate(panel.x[right], panel.y[right])
        for batch in (victim.trained.spec.batch_size, 1)
    ]
    with np.load(runs / "evaluations" / f"{record.key}.samples.npz") as kept:
        stored = kept["adversarial"][np.argsort(kept["index"])][right]
    assert np.array_equal(stored, made[0])
    assert not np.array_equal(stored, made[1])
    assert evaluate(runs, victim, named, panel, **given) == (record, False)


def _correct(victim: Subject, panel: Panel) -> NDArray[np.bool_]:
    with torch.no_grad():
        scores = victim.network(torch.from_numpy(panel.x))
    right: NDArray[np.bool_] = scores.argmax(dim=1).numpy() == panel.y
    assert right.any()
    return right


def test_a_generator_of_another_run_is_refused(runs: Path, tints: Path, tmp_path: Path) -> None:
    victim, panel, data = subject(runs, tints)
    other = tiny.trained("pgn", tints, tmp_path / "others", seed=1)
    final = victim.trained.final.file
    shutil.copy(tmp_path / "others" / other.key / other.final.file, runs / victim.run.key / final)
    with pytest.raises(UserError, match="final"):
        evaluate(runs, victim, NamedAttack("generator", Generator()), panel, data=data)


def test_a_campaign_runs_it_on_pgn_alone_and_white_box_alone(runs: Path, tints: Path) -> None:
    name = "robench_attacks.generator:Generator"
    accuracy = min(run.final.accuracy for run in read_runs(runs))
    asked = Campaign(
        targets=(accuracy,),
        tolerance=0.9,
        attacks=(name, "fgm"),
        images=12,
        data_dir=tints,
        runs=runs,
        device="cpu",
    )
    records = [event for event, _ in conduct(asked) if isinstance(event, Evaluation)]
    adaptive = [record for record in records if record.adaptive]
    runs_of = {run.key: run.spec.defense for run in read_runs(runs)}
    assert {record.attack for record in adaptive} == {name}
    assert {runs_of[record.run] for record in adaptive} == {"pgn"}
    assert all(record.white_box for record in adaptive)
    assert {runs_of[record.run] for record in records} == {"pgn", "baseline"}
    assert all(record.minimal for record in adaptive)
