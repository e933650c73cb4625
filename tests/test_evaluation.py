"""Evaluating: match, train the source, attack, record; then skip what is there."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fading
import tiny
from robench import archive
from robench.archive import Archive
from robench.attacking import predict
from robench.campaign import Campaign, Event, attacks_of, conduct
from robench.errors import UserError
from robench.evaluation import NamedAttack, evaluate, open_subject
from robench.panel import choose
from robench.planning import classifier_of, data_of
from robench.records import Epoch, Evaluation, Match, Run
from robench.runs import read_run, read_runs
from robench.settings import configure
from robench_attacks.fgm import FGM

FADE = f"{fading.__file__}:Fade"
SETTINGS = {"cw.steps": "5", "fgm.eps": "3"}
QUICK: dict[str, Any] = {"attacks": ("fgm", "cw"), "settings": SETTINGS, "images": 12}
TRAINING = {"epochs": 6, "batch_size": 8, "precision": "float32"}


@pytest.fixture(scope="module")
def stock(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return runs of two defenses, trained and never evaluated; not to be changed."""
    runs = tmp_path_factory.mktemp("stock")
    for defense in ("baseline", "fgm"):
        tiny.trained(defense, tints, runs, **TRAINING)
    return runs


@pytest.fixture
def runs(stock: Path, tmp_path: Path) -> Path:
    """Return a copy of the runs."""
    return shutil.copytree(stock, tmp_path / "runs")


@pytest.fixture(scope="module")
def evaluated(stock: Path, tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the runs, evaluated once; not to be changed."""
    runs = shutil.copytree(stock, tmp_path_factory.mktemp("evaluated") / "runs")
    list(conduct(campaign(runs, tints, **QUICK)))
    return runs


def middle(runs: Path) -> float:
    """Return an accuracy that all runs come near."""
    return min(run.final.accuracy for run in read_runs(runs))


def campaign(runs: Path, data: Path, **more: Any) -> Campaign:
    """Return a campaign that matches every run; `more` overrides."""
    given = {"targets": (middle(runs),), "tolerance": 0.15, **more}
    return Campaign(data_dir=data, runs=runs, device="cpu", **given)


def of(kind: type[Any], events: Iterator[tuple[Event, bool]]) -> list[Any]:
    """Return the events of one kind."""
    return [event for event, _ in events if isinstance(event, kind)]


def evaluations(found: Archive, *, white_box: bool) -> list[Evaluation]:
    """Return the records of one side."""
    records = [result.evaluation for result in found.results]
    return [record for record in records if record.white_box == white_box]


def test_each_match_is_attacked_from_both_sides(evaluated: Path) -> None:
    found = archive.read(evaluated)
    matched = {(match.run, match.step) for match in found.matches}
    assert len(matched) == 2
    (source,) = found.sources.values()
    for white_box in (True, False):
        records = evaluations(found, white_box=white_box)
        asked = {(record.run, record.step, record.attack) for record in records}
        assert asked == {(*pair, name) for pair in matched for name in ("fgm", "cw")}
        for record in records:
            assert (record.source, record.source_weights) == (
                (None, None) if white_box else (source.key, source.final.sha256)
            )
            kept = found.runs[record.run].checkpoints
            assert record.weights in {one.sha256 for one in kept if one.step == record.step}
            assert record.settings.get("steps", 5) == 5
            assert (record.minimal, record.radius) == (
                (True, None) if record.attack == "cw" else (False, 3)
            )
            assert (record.count, record.violations) == (12, 0)
    assert len({result.evaluation.images for result in found.results}) == 1
    assert (source.spec.defense, source.spec.seed) == ("baseline", 1000)
    run = next(iter(found.runs.values()))
    assert replace(source.spec, rung=run.spec.rung).protocol == run.spec.protocol
    assert [kept.final for kept in source.checkpoints] == [True]


def test_outcomes_are_those_of_the_recorded_weights(evaluated: Path, tints: Path) -> None:
    found = archive.read(evaluated)
    run = next(iter(found.runs.values()))
    data = data_of(run.spec, tints, evaluated, "cpu")
    shown = choose(data, 12, 0)
    for result in found.results:
        run = found.runs[result.evaluation.run]
        step = result.evaluation.step
        build = classifier_of(run.spec, run.shape, run.classes)
        subject = open_subject(evaluated / run.key, run, step, build, data.test.x.device)
        outcomes = result.outcomes
        assert np.array_equal(outcomes.index, shown.index)
        assert np.array_equal(outcomes.label, shown.y)
        assert np.array_equal(outcomes.clean, predict(subject.network, shown.x))
        assert np.isfinite(outcomes.distance).tolist() == outcomes.success.tolist()
        fooled = outcomes.adversarial != outcomes.label
        assert np.array_equal(outcomes.success, fooled | ~outcomes.correct)


def test_black_box_images_are_the_same_for_every_run(evaluated: Path) -> None:
    found = archive.read(evaluated)
    black = [result for result in found.results if not result.evaluation.white_box]
    one, other = (r.outcomes.norm for r in black if r.evaluation.attack == "fgm")
    assert (one > 0).all()
    assert np.array_equal(one, other)
    assert len(list((evaluated / "adversarials").iterdir())) == 2  # one for each attack


def test_second_call_makes_nothing_again(evaluated: Path, tints: Path, tmp_path: Path) -> None:
    runs = shutil.copytree(evaluated, tmp_path / "runs")
    kept = ("evaluations", "adversarials", "sources")
    before = {name: tiny.snapshot(runs / name) for name in kept}
    events = list(conduct(campaign(runs, tints, **QUICK)))
    assert all(before.values())
    assert {name: tiny.snapshot(runs / name) for name in kept} == before
    assert not of(Epoch, iter(events))
    assert [new for event, new in events if isinstance(event, Evaluation)] == [False] * 8


def test_evaluation_that_lost_its_arrays_is_made_again(
    evaluated: Path, tints: Path, tmp_path: Path
) -> None:
    runs = shutil.copytree(evaluated, tmp_path / "runs")
    lost = sorted((runs / "evaluations").glob("*.npz"))[0]
    content = lost.read_bytes()
    lost.unlink()
    events = conduct(campaign(runs, tints, **QUICK))
    made = [event.key for event, new in events if isinstance(event, Evaluation) and new]
    assert made == [lost.stem]
    assert lost.read_bytes() == content


def test_attack_from_a_file_takes_settings(runs: Path, tints: Path) -> None:
    given = {"attacks": (FADE,), "settings": {"fading:Fade.amount": "0.25"}}
    records = of(Evaluation, conduct(campaign(runs, tints, **given, images=3)))
    assert len(records) == 4
    assert {record.attack.split("@")[0] for record in records} == {"fading:Fade"}
    assert all(record.settings == {"amount": 0.25} for record in records)


def test_source_that_is_evaluated_is_refused_before_any_attack(runs: Path, tints: Path) -> None:
    with pytest.raises(UserError, match=r"source is the evaluated run .*choose another --source"):
        list(conduct(campaign(runs, tints, **QUICK, source_seed=0)))
    assert not (runs / "evaluations").exists()
    assert not (runs / "sources").exists()


def test_run_is_no_source_for_its_own_checkpoints(runs: Path, tints: Path) -> None:
    run = read_runs(runs)[0]
    data = data_of(run.spec, tints, runs, "cpu")

    def opened(step: int) -> Any:
        build = classifier_of(run.spec, run.shape, run.classes)
        return open_subject(runs / run.key, run, step, build, data.test.x.device)

    first, last = opened(run.checkpoints[0].step), opened(run.final.step)
    assert first.checkpoint.sha256 != last.checkpoint.sha256
    with pytest.raises(UserError, match=f"evaluated run {run.key} itself"):
        evaluate(runs, first, NamedAttack("fgm", FGM()), choose(data, 3, 0), last, data=data)


def test_other_images_than_the_run_s_are_refused(runs: Path, tmp_path: Path) -> None:
    other = tiny.folder(tmp_path / "other", seed=1)
    with pytest.raises(UserError, match=r"not those of the run .*say --data-dir"):
        list(conduct(campaign(runs, other, **QUICK)))
    assert not (runs / "evaluations").exists()


def test_nothing_matched_is_a_failure_that_is_recorded(runs: Path, tints: Path) -> None:
    words = ["eval", "--matched-accuracy", 0.123, "--runs", runs, "--data-dir", tints]
    ended = tiny.robench(*words)
    assert ended.code == 1
    assert ended.out.count("not matched: nearest 0.") == 2
    assert ended.err == "Error: no checkpoint matches; the lines above say what to train\n"
    matches = archive.read(runs).matches
    assert [match.how for match in matches] == ["unmatched"] * 2
    assert all(match.advice.startswith("try ") for match in matches)
    assert not (runs / "evaluations").exists()


def test_one_target_of_two_is_enough(runs: Path, tints: Path) -> None:
    targets = (middle(runs), 0.123)
    asked = campaign(runs, tints, targets=targets, tolerance=0.1, attacks=("fgm",), images=3)
    matches = of(Match, conduct(asked))
    assert {match.target for match in matches if match.how == "unmatched"} == {0.123}
    stored = archive.read(runs).matches
    assert sorted(map(str, stored)) == sorted(map(str, matches))
    names = {path.name.partition("-")[2] for path in (runs / "matches").iterdir()}
    assert names == {f"{target:.4f}.json" for target in targets}


def test_bad_target_beside_a_good_one_writes_nothing(runs: Path, tints: Path) -> None:
    before = tiny.snapshot(runs)
    with pytest.raises(UserError, match="--matched-accuracy 70"):
        list(conduct(campaign(runs, tints, targets=(middle(runs), 70.0))))
    assert tiny.snapshot(runs) == before


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"attacks": ("dipfool",)}, r"no attack called 'dipfool'; did you mean 'deepfool'\?"),
        ({"settings": {"cw.step": "5"}}, "cw has no setting 'step'; did you mean 'steps'"),
        ({"settings": {"cw.steps": "many"}}, "cw: steps=many is not a whole number"),
        ({"settings": {"steps": "5"}}, "--set steps: give ATTACK.SETTING, of: cw, deepfool"),
        ({"attacks": ("fgm",), "settings": {"cw.steps": "5"}}, "--set cw.steps: .* of: fgm$"),
        ({"preset": "papr"}, "no installed attack has a preset 'papr'; there is: .*paper"),
        ({"preset": "papr", "attacks": ("fgm",)}, "no installed attack has a preset 'papr'"),
    ],
)
def test_attacks_that_cannot_be_had_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        attacks_of(Campaign((0.5,), **given))


def test_default_preset_is_the_paper_s_attacks_and_one_that_finds_more() -> None:
    chosen = {named.name: named.settings for named in attacks_of(Campaign((0.5,)))}
    published = {named.name for named in attacks_of(Campaign((0.5,), preset="paper"))}
    assert {"fgm", "mim", "deepfool", "cw"} <= published
    assert {"walk"} | published <= set(chosen)
    assert not {"pgd", "pgn"} & set(chosen)  # to be asked for by name
    assert chosen["fgm"]["eps"] == chosen["mim"]["eps"] == 0.5
    assert chosen["mim"]["steps"] == chosen["deepfool"]["steps"] == chosen["cw"]["steps"] == 100


def test_only_runs_on_the_data_set_asked_for(runs: Path, tints: Path) -> None:
    with pytest.raises(UserError, match=r"no finished run on digits .*\(data sets there: folder\)"):
        list(conduct(campaign(runs, tints, dataset="digits")))


def test_record_is_read_back_as_it_was_written(evaluated: Path) -> None:
    for path in (evaluated / "evaluations").glob("*.json"):
        record = archive.read_evaluation(path)
        assert record.key == path.stem
        assert configure(FGM, record.settings, "fgm") if record.attack == "fgm" else True
        assert record.seconds == json.loads(path.read_text())["seconds"]


def test_source_is_read_like_any_run(evaluated: Path) -> None:
    (folder,) = (evaluated / "sources").iterdir()
    run: Run = read_run(folder)
    assert len(run.history) == TRAINING["epochs"]
