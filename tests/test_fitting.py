"""An attack's own networks: trained against one checkpoint, once, and then used to attack it."""

import copy
import multiprocessing
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import subjects
import tiny
from robench import weights
from robench.archive import GENERATORS
from robench.data import Data
from robench.errors import RunFailed, UserError
from robench.estimator import wrap
from robench.evaluation import NamedAttack, evaluate
from robench.fitting import AGAINST, fit, fitted_spec
from robench.metrics import accuracy, benign_accuracy, mean_norm
from robench.outcomes import Outcomes
from robench.panel import Panel, choose
from robench.records import Evaluation
from robench.runs import RunFolder, read_run
from robench_attacks.fgm import FGM
from robench_attacks.pgn import PGN

TRAINING = {"epochs": 6, "batch_size": 8, "precision": "float32"}
SMALL: dict[str, Any] = {"generator_width": 0.05}
"""Of the attack: what keeps it small."""


def named(**settings: Any) -> NamedAttack:
    """Return the attack of two epochs; `settings` override."""
    return NamedAttack("pgn", PGN(**{"epochs": 2, **SMALL, **settings}))


@pytest.fixture(scope="module")
def stock(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two trained classifiers of different seeds; not to be changed."""
    runs = tmp_path_factory.mktemp("stock")
    for seed in (0, 1):
        tiny.trained("baseline", tints, runs, **TRAINING, seed=seed)
    return runs


def folder(runs: Path) -> RunFolder:
    """Return the one folder of networks fitted."""
    (path,) = (runs / GENERATORS).iterdir()
    return RunFolder(path)


def outcomes(runs: Path, record: Evaluation) -> Outcomes:
    """Return what an evaluation measured."""
    return Outcomes.load(runs / "evaluations" / f"{record.key}.npz")


def test_networks_are_the_kept_averages_and_the_classifier_stays(runs: Path, data: Data) -> None:
    victim = subjects.opened(runs, data)
    before = copy.deepcopy(victim.network.state_dict())
    networks = fit(runs, victim, named(), data)
    stored = weights.load(folder(runs).final)
    assert list(networks) == ["generator"]
    for name, tensor in networks["generator"].state_dict().items():
        assert torch.equal(tensor, stored.pop(f"generator.{name}"))
    assert not stored  # the classifier is kept in its own run
    assert not networks["generator"].training
    assert all(weight.requires_grad for weight in victim.network.parameters())
    for name, tensor in victim.network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_it_is_recorded_like_any_run(runs: Path, data: Data) -> None:
    victim = subjects.opened(runs, data)
    fit(runs, victim, named(c_l=7), data)
    run, own = read_run(folder(runs).path), victim.trained.spec
    assert run.spec.defense == "pgn"
    settings = named(c_l=7).settings
    assert run.spec.settings == {**settings, AGAINST: victim.checkpoint.sha256}
    assert replace(run.spec, defense="", settings={}) == replace(
        own, defense="", settings={}, epochs=2, rung=0.0
    )
    assert [kept.final for kept in run.checkpoints] == [True]
    assert [row.accuracy for row in run.history] == [victim.checkpoint.accuracy] * 2
    assert all(row.perturbation > 0 for row in run.history)


def test_second_call_reads_what_the_first_trained(runs: Path, data: Data) -> None:
    victim = subjects.opened(runs, data)
    first = fit(runs, victim, named(), data)["generator"]
    before = tiny.snapshot(runs)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    again = fit(runs, victim, named(), data)["generator"]
    assert tiny.snapshot(runs) == before
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_each_checkpoint_and_each_setting_has_networks_of_its_own(runs: Path, data: Data) -> None:
    victims = [subjects.opened(runs, data, seed) for seed in (0, 1)]
    attacks = [named(), named(c_l=5), named(without="image"), named(epochs=3)]
    specs = [fitted_spec(one, attack, 2) for one in victims for attack in attacks]
    assert len({spec.key for spec in specs}) == 8
    early = min(victims[0].trained.checkpoints, key=lambda kept: kept.step)
    other = replace(victims[0], checkpoint=early)
    assert fitted_spec(other, named(), 2).key not in {spec.key for spec in specs}


@pytest.mark.parametrize("preset", ["code", "paper"])
def test_training_makes_a_stronger_attack(preset: str, runs: Path, data: Data) -> None:
    """Priced at next to nothing, the generator fools where chance perturbations do not."""
    victim, panel = subjects.opened(runs, data), choose(data, None, 0)
    found = []
    for epochs in (1, 12):
        asked = named(c_l=0.02, epochs=epochs, preset=preset)
        found.append(outcomes(runs, evaluate(runs, victim, asked, panel, data=data)[0]))
    benign = benign_accuracy(found[1]).value
    assert accuracy(found[1]).value < min(0.7 * benign, accuracy(found[0]).value)


def test_a_higher_price_goes_less_far(runs: Path, data: Data) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, None, 0)
    lengths = []
    for price in (500.0, 0.02):
        record, _ = evaluate(runs, victim, named(c_l=price, epochs=8), panel, data=data)
        measured = outcomes(runs, record)
        assert record.radius is None
        assert record.violations == 0
        assert np.isfinite(measured.norm).all()
        lengths.append(mean_norm(measured))
    assert lengths[0] < 0.5 * lengths[1]


def test_killed_before_any_write_it_ends_with_the_same_bytes(
    stock: Path, tints: Path, data: Data, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["robench.fitting", "robench.evaluation", "torch._dynamo"])
    settings = {"epochs": 2, **SMALL}
    whole = tmp_path / "whole"
    fit(whole, subjects.opened(stock, data), named(), data)
    for write in (5, 10, 13):
        runs = tmp_path / str(write)
        # The first epoch's state is stored, its tables are not; no final weights; no DONE.
        arguments = (write, stock, tints, runs, settings)
        process = context.Process(target=subjects.fit, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        fit(runs, subjects.opened(stock, data), named(), data)
        assert folder(runs).final.read_bytes() == folder(whole).final.read_bytes()
        assert not folder(runs).state.exists()


def test_evaluating_trains_only_what_is_missing(runs: Path, data: Data) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, 6, 0)
    record, new = evaluate(runs, victim, named(), panel, data=data)
    assert new
    shutil.rmtree(runs / GENERATORS)
    assert evaluate(runs, victim, named(), panel, data=data) == (record, False)
    evaluate(runs, victim, NamedAttack("fgm", FGM()), panel, data=data)
    assert not (runs / GENERATORS).exists()


def test_black_box_images_come_from_a_generator_of_the_source(runs: Path, data: Data) -> None:
    victim, source = (subjects.opened(runs, data, seed) for seed in (0, 1))
    record, _ = evaluate(runs, victim, named(), choose(data, 6, 0), source, data=data)
    assert record.source == source.run.key
    against = read_run(folder(runs).path).spec.settings[AGAINST]
    assert against == source.checkpoint.sha256 != victim.checkpoint.sha256


@pytest.mark.parametrize("preset", ["code", "paper"])
def test_images_do_not_depend_on_how_many_are_attacked_at_once(
    preset: str, runs: Path, data: Data
) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, None, 0)
    attack = PGN(c_l=0.1, preset=preset, epochs=1, **SMALL)  # type: ignore[arg-type]
    networks = fit(runs, victim, NamedAttack("pgn", attack), data)
    built = attack.aim(wrap(victim.network, data.shape, len(data.classes)), networks, 8)
    made = []
    for size in (7, 50):
        built.set_params(batch_size=size)
        made.append(built.generate(panel.x, panel.y))
    np.testing.assert_allclose(made[0], made[1], atol=1e-6)
    assert np.abs(made[0] - panel.x).max() > 1e-3


def test_the_gradient_image_has_the_scale_of_the_training(runs: Path, data: Data) -> None:
    victim, panel = subjects.opened(runs, data), choose(data, 9, 0)
    attack = PGN(epochs=1, **SMALL)
    networks = fit(runs, victim, NamedAttack("pgn", attack), data)
    seen: list[Tensor] = []
    networks["generator"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    estimator = wrap(victim.network, data.shape, len(data.classes))
    attack.aim(estimator, networks, 128).generate(panel.x, panel.y)
    torch.testing.assert_close(seen[0], true_gradient(victim.network, panel) / 128)


def true_gradient(network: nn.Module, panel: Panel) -> Tensor:
    """Return the gradient of each image's own true-class probability."""
    point = torch.from_numpy(panel.x).requires_grad_()
    p = network(point).softmax(dim=1)[torch.arange(len(panel)), torch.from_numpy(panel.y)]
    (found,) = torch.autograd.grad(p.sum(), point)
    return found


def test_divergence_is_a_failure(runs: Path, data: Data) -> None:
    victim = subjects.opened(runs, data)
    spec = replace(victim.trained.spec, learning_rate=1e38)
    wild = replace(victim, run=replace(victim.trained, spec=spec))
    with pytest.raises(RunFailed, match=r"diverged in epoch 1 .*weaker setting of pgn"):
        fit(runs, wild, named(), data)


def test_other_images_than_the_run_s_are_refused(runs: Path, data: Data) -> None:
    for other in (replace(data, hash="0" * 16), replace(data, held_out=0)):
        with pytest.raises(UserError, match=r"pgn is trained on the images of the run .*data_of"):
            fit(runs, subjects.opened(runs, data), named(), other)
    assert not (runs / GENERATORS).exists()


def test_damaged_networks_are_told(runs: Path, data: Data) -> None:
    victim = subjects.opened(runs, data)
    fit(runs, victim, named(), data)
    final = folder(runs).final
    final.write_bytes(final.read_bytes()[:-1])
    with pytest.raises(UserError, match="is not the file that was recorded"):
        fit(runs, victim, named(), data)
    final.unlink()
    with pytest.raises(UserError, match="is missing"):
        fit(runs, victim, named(), data)


def test_an_attack_without_networks_has_nothing_to_fit(runs: Path, data: Data) -> None:
    with pytest.raises(UserError, match="fgm is not trained"):
        fit(runs, subjects.opened(runs, data), NamedAttack("fgm", FGM()), data)


def test_an_untrained_attack_is_refused(runs: Path, data: Data) -> None:
    network = subjects.opened(runs, data).network
    with pytest.raises(UserError, match="PGN is trained against a classifier first: fit it"):
        PGN().build(wrap(network, data.shape, len(data.classes)))


@pytest.mark.parametrize("setting", ["c_l", "generator_width", "epochs"])
def test_settings_without_sense_are_refused(setting: str) -> None:
    with pytest.raises(UserError, match=f"{setting}=0"):
        PGN(**{setting: 0})  # type: ignore[arg-type]
