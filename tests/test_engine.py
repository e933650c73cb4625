"""ART's own attacks behind `--engine art`, and the precision that attacks search in."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from art.attacks import EvasionAttack
from art.attacks.evasion import (
    AutoProjectedGradientDescent,
    CarliniL2Method,
    FastGradientMethod,
    MomentumIterativeMethod,
    ProjectedGradientDescent,
)
from art.attacks.evasion import DeepFool as ArtDeepFool
from art.estimators.classification import PyTorchClassifier

import fading
import planes
import subjects
import tiny
from fading import Changed, Fade
from robench import archive, leaderboard
from robench.attack import Attack
from robench.attacking import adversaries
from robench.campaign import Campaign, attacks_of
from robench.data import Data
from robench.engine import rehearse, search_precision
from robench.environment import choose_precision
from robench.errors import UserError
from robench.estimator import wrap
from robench.evaluation import NamedAttack, evaluate
from robench.panel import Panel, choose
from robench.records import Evaluation
from robench.samples import Samples, samples_path
from robench_attacks.apgd import APGD
from robench_attacks.cw import CarliniWagner
from robench_attacks.deepfool import DeepFool
from robench_attacks.fgm import FGM
from robench_attacks.mim import MIM
from robench_attacks.pgd import PGD

SHAPE = (3, 4, 4)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Searching(Fade):
    """Fades by `amount`, and by half of that where it may search in bf16."""

    reduced_precision: ClassVar[bool] = True

    def build(self, estimator: PyTorchClassifier) -> EvasionAttack:
        share = np.float32(0.5 if estimator.precision == "bf16" else 1.0)
        return Changed(estimator, lambda x: x + share * np.float32(self.amount) * (0.5 - x))


MAPPED: dict[str, tuple[Attack, type[EvasionAttack], dict[str, Any]]] = {
    "fgm": (FGM(eps=0.4), FastGradientMethod, {"norm": 2, "eps": 0.4, "minimal": False}),
    "mim": (
        MIM(eps=0.4, step=0.05, steps=7, decay=0.9),
        MomentumIterativeMethod,
        {"norm": 2, "eps": 0.4, "eps_step": 0.05, "max_iter": 7, "num_random_init": 0},
    ),
    "pgd": (
        PGD(eps=0.4, steps=7, step_share=0.25),
        ProjectedGradientDescent,
        {"norm": 2, "eps": 0.4, "eps_step": 0.1, "max_iter": 7, "num_random_init": 1},
    ),
    "apgd": (
        APGD(eps=0.4, steps=7, loss="dlr"),
        AutoProjectedGradientDescent,
        {
            **{"norm": 2, "eps": 0.4, "eps_step": 0.8, "max_iter": 7, "nb_random_init": 1},
            "loss_type": "difference_logits_ratio",
        },
    ),
    "deepfool": (
        DeepFool(steps=7, candidates=3, overshoot=0.05),
        ArtDeepFool,
        {"max_iter": 7, "nb_grads": 3, "epsilon": 0.05},
    ),
    "cw": (
        CarliniWagner(0.1, 0.02, 3, 7, 0.5),
        CarliniL2Method,
        {
            **{"confidence": 0.1, "learning_rate": 0.02, "binary_search_steps": 3},
            **{"max_iter": 7, "initial_const": 0.5},
        },
    ),
}


@pytest.mark.parametrize("name", MAPPED)
def test_settings_reach_arts_implementation(name: str) -> None:
    attack, kind, expected = MAPPED[name]
    built = attack.build_art(wrap(planes.random_planes(SHAPE, 3), SHAPE, 3))
    assert type(built) is kind
    assert {key: getattr(built, key) for key in expected} == expected
    assert built.batch_size > 200
    if name == "mim":
        assert built._attack.decay == 0.9


def test_arts_attacks_are_ours_where_the_network_is_linear() -> None:
    network = planes.regular_planes(SHAPE, 3)
    x = planes.images(SHAPE, 20)
    y = planes.labels(network, x)
    panel = Panel(np.arange(20), x, y, "any")
    far = planes.nearest(network, x, y)
    for attack in (FGM(eps=0.1), MIM(eps=0.1, steps=3), DeepFool(), DeepFool(candidates=2)):
        own, arts = (
            adversaries(network, 3, attack, panel, "", aim=aim, bar=False)[0]
            for aim in (attack.build, attack.build_art)
        )
        np.testing.assert_allclose(arts, own, atol=2e-4)  # ours goes a little past the boundary
    norms = np.linalg.norm((arts - x).reshape(20, -1).astype(np.float64), axis=1)
    np.testing.assert_allclose(norms, 1.02 * far, rtol=1e-3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"attacks": ("pgn",)}, "ART has no counterpart of PGN; run it with --engine robench"),
        ({"attacks": (f"{fading.__file__}:Fade",)}, "ART has no counterpart of Fade"),
        ({"attacks": ("cw", "pgn")}, "ART has no counterpart of PGN"),
        ({"settings": {"cw.abort_early": "false"}}, "ART's C&W has no setting abort_early"),
        ({"attacks": ("walk",)}, "ART has no counterpart of BoundaryWalk"),
        ({"settings": {"cw.warm_start": "true"}}, "ART's C&W has no setting warm_start"),
        ({"engine": "ART"}, "--engine ART is not of robench, art"),
        ({"precision": "half"}, "--precision half is not of auto, bf16, float32"),
    ],
)
def test_what_art_cannot_run_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        attacks_of(Campaign((0.5,), **{"engine": "art", **given}))


def test_settings_that_art_itself_refuses_are_the_users_to_know() -> None:
    class Odd(Fade):
        """An attack whose settings ART does not take."""

        def build_art(self, estimator: PyTorchClassifier) -> EvasionAttack:
            return ArtDeepFool(estimator, max_iter=0)

    state = torch.get_rng_state()
    with pytest.raises(UserError, match=r"ART's odd takes no such settings .*positive integer"):
        rehearse("odd", Odd())
    rehearse("fgm", FGM())
    assert torch.equal(torch.get_rng_state(), state)


def test_all_of_the_papers_attacks_can_be_arts() -> None:
    chosen = attacks_of(Campaign((0.5,), engine="art"))
    assert {named.name for named in chosen} >= {"fgm", "mim", "deepfool", "cw"}
    assert {named.engine for named in chosen} == {"art"}
    assert {named.engine for named in attacks_of(Campaign((0.5,)))} == {"robench"}


def test_a_refusal_comes_before_any_work(runs: Path, tints: Path) -> None:
    before = tiny.snapshot(runs)
    words = ["eval", "--matched-accuracy", 0.9, "--attack", "fgm", "--attack", "pgn"]
    ended = tiny.robench(*words, "--engine", "art", "--runs", runs, "--data-dir", tints)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("Error: --engine art: ART has no counterpart of PGN")
    assert tiny.snapshot(runs) == before


def test_both_engines_from_the_command_line_to_the_page(
    runs: Path, tints: Path, tmp_path: Path
) -> None:
    words = ["eval", "--matched-accuracy", 0.9, "--tolerance", 0.5, "--runs", runs]
    words += ["--data-dir", tints, "--device", "cpu", "--images", 9]
    words += ["--attack", "fgm", "--attack", "deepfool", "--no-audit"]
    for engine in ("robench", "art"):
        ended = tiny.robench(*words, "--engine", engine)
        assert ended.code == 0, ended.err
        assert ended.out.count("fgm (ART) white-box") == (2 if engine == "art" else 0)
    again = tiny.robench(*words, "--engine", "art")
    assert again.out.count("there already") == 8
    found = archive.read(runs).results
    assert len(found) == 2 * 2 * 2 * 2
    assert {one.evaluation.engine for one in found} == {"robench", "art"}
    kept = {path.name.rpartition("-")[0] for path in (runs / "adversarials").iterdir()}
    assert kept == {f"{name}-white" for name in ("fgm", "fgm-art", "deepfool", "deepfool-art")}
    leaderboard.publish(runs, tmp_path / "out")
    page = leaderboard.render(tmp_path / "out" / "records")["README.md"].decode()
    assert re.search(r"\| fgm at 0\.5 \|.*\| fgm \(ART\) at 0\.5 \|", page, re.DOTALL)
    assert re.search(r"\| deepfool \|.*\| deepfool \(ART\) \|", page, re.DOTALL)
    searched = "verified in float32: fgm, deepfool.\n" in page  # no column of ART's
    assert searched == (choose_precision("auto", CPU) == "bf16")


def evaluated(
    runs: Path, data: Data, precision: str, *, black: bool = False, keep: int = 0
) -> tuple[Evaluation, bool, tuple[float, ...]]:
    """Evaluate `Searching`; return the record, whether it is new, and the norms."""
    victim, source = (subjects.opened(runs, data, seed) for seed in (0, 1))
    named, panel = NamedAttack("searching", Searching(0.5)), choose(data, 9, 0)
    made_on = source if black else None
    record, new = evaluate(
        runs, victim, named, panel, made_on, data=data, keep=keep, precision=precision
    )
    assert record == archive.read_evaluation(runs / "evaluations" / f"{record.key}.json")
    found = next(one for one in archive.read(runs).results if one.evaluation == record)
    return record, new, tuple(found.outcomes.norm.tolist())


@pytest.mark.parametrize("black", [False, True])
def test_float32_is_made_again_where_bf16_was_stored(
    runs: Path, data: Data, *, black: bool
) -> None:
    first, new, coarse = evaluated(runs, data, "bf16", black=black, keep=4)
    assert (first.precision, new) == ("bf16", True)
    for asked in ("bf16", "auto"):
        assert evaluated(runs, data, asked, black=black, keep=4) == (first, False, coarse)
    second, new, exact = evaluated(runs, data, "float32", black=black)
    assert (second.precision, second.key, new) == ("float32", first.key, True)
    np.testing.assert_allclose(exact, 2 * np.array(coarse), rtol=1e-5)
    for asked in ("float32", "bf16", "auto"):
        assert evaluated(runs, data, asked, black=black, keep=4) == (second, False, exact)
    samples = Samples.load(samples_path(runs / "evaluations" / f"{second.key}.json"))
    change = (samples.adversarial - samples.image).reshape(4, -1)
    norms = np.array(exact)[np.searchsorted(choose(data, 9, 0).index, samples.index)]
    np.testing.assert_allclose(np.linalg.norm(change, axis=1), norms, rtol=1e-5)


def test_images_of_a_source_say_what_they_were_searched_in(runs: Path, data: Data) -> None:
    coarse, *_ = evaluated(runs, data, "bf16", black=True)
    path = runs / "evaluations" / f"{coarse.key}.json"
    path.unlink()
    again, new, _ = evaluated(runs, data, "auto", black=True)  # from the stored images
    assert (again.precision, new) == ("bf16", True)
    path.unlink()
    assert evaluated(runs, data, "float32", black=True)[0].precision == "float32"
    path.unlink()
    assert evaluated(runs, data, "bf16", black=True)[0].precision == "float32"


def test_precision_is_that_of_the_device_unless_the_attack_knows_none() -> None:
    cuda = torch.device("cuda", 0)
    for device, asked, expected in (
        (CPU, "auto", choose_precision("auto", CPU)),
        (CPU, "bf16", "bf16"),
        (CPU, "float32", "float32"),
        (cuda, "auto", "float32"),
        (cuda, "bf16", "bf16"),
    ):
        assert search_precision(asked, device, Searching(), "robench") == expected
        assert search_precision(asked, device, Searching(), "art") == "float32"
        assert search_precision(asked, device, Fade(), "robench") == "float32"
