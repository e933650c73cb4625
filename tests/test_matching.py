"""Which checkpoint stands for a defense at a benign accuracy, rule by rule."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Literal

import pytest

from recordings import SPEC
from robench.errors import UserError
from robench.matching import match
from robench.records import Checkpoint, Match, Run, Setting, Strength

EPOCHS, STEPS = 10, 100
UP, DOWN = Strength("eps", "up"), Strength("c_l", "down")


def trained(
    final: float,
    along: Sequence[float] = (),
    *,
    strength: Strength | None = UP,
    value: float = 0.1,
    variant: str = "fgm",
    seed: int = 0,
    epochs: int = EPOCHS,
    images: int = 5000,
    **settings: Setting,
) -> Run:
    """Return a run of given accuracies: at its end, and at the checkpoints along its training."""
    own: dict[str, Setting] = {**settings, strength.setting: value} if strength else settings
    spec = replace(SPEC, defense="fgm", settings=own, seed=seed, epochs=epochs, validation=images)
    accuracies = [*along, final]
    checkpoints = tuple(
        Checkpoint(
            run=spec.key,
            step=STEPS * epochs if number == len(accuracies) else number,
            epoch=number / STEPS,
            accuracy=accuracy,
            file=f"{number}.safetensors",
            sha256="",
            final=number == len(accuracies),
        )
        for number, accuracy in enumerate(accuracies, start=1)
    )
    return Run(spec, variant, strength, 10, (3, 32, 32), {}, (), checkpoints)


def single(runs: Sequence[Run], target: float = 0.7, tolerance: float = 0.005) -> Match:
    """Return the only match, which must be the same in whatever order the runs come."""
    found = {tuple(match(order, target, tolerance)) for order in permutations(runs)}
    assert len(found) == 1
    (one,) = found.pop()
    return one


def test_the_nearest_final_checkpoint_wins() -> None:
    runs = [trained(0.704, value=0.1), trained(0.701, value=0.2), trained(0.697, value=0.3)]
    found = single(runs)
    assert (found.run, found.step, found.accuracy) == (runs[1].key, 1000, 0.701)
    assert (found.how, found.advice) == ("final", "")
    assert (found.target, found.tolerance) == (0.7, 0.005)
    assert (found.defense, found.seed, found.variant) == ("fgm", 0, "fgm")
    assert found.protocol == runs[1].spec.protocol


def test_a_final_checkpoint_comes_before_a_nearer_one_along_training() -> None:
    found = single([trained(0.704, [0.6, 0.7]), trained(0.9, [0.7], value=0.2)])
    assert (found.how, found.accuracy) == ("final", 0.704)


def test_checkpoints_along_training_stand_in() -> None:
    found = single([trained(0.8, [0.5, 0.698, 0.71]), trained(0.85, [0.3, 0.4, 0.5], value=0.2)])
    assert (found.how, found.step, found.accuracy) == ("training", 2, 0.698)


def test_along_training_the_strength_that_is_latest_there_wins_though_it_is_farther() -> None:
    early, late = trained(0.9, [0.7, 0.8]), trained(0.75, [0.3, 0.5, 0.704], value=0.2)
    found = single([early, late])
    assert (found.run, found.step) == (late.key, 3)


def test_of_one_run_the_nearest_along_training_is_taken() -> None:
    assert single([trained(0.9, [0.5, 0.701, 0.704])]).step == 2


def test_one_strength_stands_for_all_seeds_that_reach_it() -> None:
    shared = [trained(0.8, [0.7], seed=seed, value=0.1) for seed in (0, 1, 2)]
    alone = trained(0.7, [0.6], seed=0, value=0.2)
    found = match([*shared, alone], 0.7)
    assert [one.run for one in found] == [run.key for run in shared]


def test_of_strengths_with_as_many_seeds_that_with_more_final_checkpoints_wins() -> None:
    weak = [trained(0.8, [0.6, 0.65, 0.7], seed=seed, value=0.1) for seed in (0, 1)]
    strong = [trained(0.701, [0.6], seed=seed, value=0.2) for seed in (0, 1)]
    assert [one.run for one in match([*weak, *strong], 0.7)] == [run.key for run in strong]


def test_a_seed_that_the_others_strength_leaves_short_has_its_own() -> None:
    shared = [trained(0.8, [0.7], seed=seed, value=0.1) for seed in (0, 1)]
    missed, own = trained(0.6, seed=2, value=0.1), trained(0.7, seed=2, value=0.05)
    found = match([*shared, missed, own], 0.7)
    assert [one.run for one in found] == [shared[0].key, shared[1].key, own.key]


def test_of_two_as_near_the_more_accurate_wins() -> None:
    runs = [trained(0.697, value=0.2), trained(0.703, value=0.1)]
    assert single(runs).accuracy == 0.703
    assert single([trained(0.9, [0.697, 0.703])]).step == 2


def test_of_two_as_accurate_the_run_s_name_decides() -> None:
    runs = [trained(0.702, value=value) for value in (0.1, 0.2, 0.3)]
    assert single(runs).run == min(run.key for run in runs)


def test_along_training_the_later_step_wins_a_tie() -> None:
    assert single([trained(0.9, [0.3, 0.7, 0.8, 0.7])]).step == 4
    early, late = trained(0.9, [0.7]), trained(0.9, [0.3, 0.7], value=0.2)
    assert single([early, late]).run == late.key


@pytest.mark.parametrize(
    ("accuracy", "how"),
    [(0.705, "final"), (0.695, "final"), (0.7051, "unmatched"), (0.6949, "unmatched")],
)
def test_the_tolerance_includes_its_edge(
    accuracy: float, how: Literal["final", "unmatched"]
) -> None:
    assert single([trained(accuracy)]).how == how


@pytest.mark.parametrize("thousandths", range(50, 960, 13))
def test_the_edge_is_not_at_the_mercy_of_rounding(thousandths: int) -> None:
    target = thousandths / 1000
    for accuracy in ((thousandths + 5) / 1000, (thousandths - 5) / 1000):
        assert single([trained(accuracy)], target).how == "final"


@pytest.mark.parametrize("thousandths", range(50, 960, 13))
def test_a_tie_is_not_at_the_mercy_of_rounding(thousandths: int) -> None:
    above, below = ((thousandths + sign * 3) / 1000 for sign in (1, -1))
    runs = [trained(below, value=0.2), trained(above, value=0.1)]
    assert single(runs, thousandths / 1000).accuracy == above


def test_a_wider_tolerance_reaches_further() -> None:
    assert single([trained(0.72)], tolerance=0.02).how == "final"


def test_each_protocol_variant_and_seed_has_a_match_of_its_own() -> None:
    runs = [
        trained(0.7, variant="fgm"),
        trained(0.7, variant="fgm", value=0.2),
        trained(0.7, variant="fgm (through_attack=true)", through_attack=True),
        trained(0.7, variant="fgm", seed=1),
        trained(0.7, variant="fgm", epochs=20),
    ]
    found = match(runs, 0.7)
    groups = {(one.protocol, one.variant, one.seed) for one in found}
    assert len(found) == len(groups) == 4
    assert groups == {(run.spec.protocol, run.variant, run.spec.seed) for run in runs}
    assert match(reversed(runs), 0.7) == found


def test_one_variant_s_failure_is_not_another_s() -> None:
    found = match([trained(0.7, variant="a"), trained(0.5, variant="b")], 0.7)
    assert [one.how for one in found] == ["final", "unmatched"]


def test_nothing_is_matched_among_no_runs() -> None:
    assert match([], 0.7) == []


def test_an_unmatched_row_names_the_nearest_checkpoint_of_all() -> None:
    runs = [trained(0.6, [0.3, 0.69]), trained(0.65, value=0.2)]
    found = single(runs)
    assert (found.how, found.run, found.step) == ("unmatched", runs[0].key, 2)
    assert found.accuracy == 0.69


@pytest.mark.parametrize(
    ("strength", "tried", "advice"),
    [
        (UP, {0.4: 0.683}, "eps=0.3"),  # too inaccurate: weaker
        (UP, {0.4: 0.72}, "eps=0.533"),  # too accurate: stronger
        (UP, {0.2: 0.69, 0.4: 0.65}, "eps=0.15"),
        (UP, {0.2: 0.76, 0.4: 0.72}, "eps=0.533"),
        (UP, {0.2: 0.72, 0.4: 0.68}, "eps=0.3"),  # half-way
        (UP, {0.1: 0.8, 0.2: 0.74, 0.4: 0.66}, "eps=0.3"),  # between those that lie around
        (DOWN, {30.0: 0.683}, "c_l=40"),
        (DOWN, {40.0: 0.72}, "c_l=30"),
        (DOWN, {20.0: 0.66, 40.0: 0.74}, "c_l=30"),
        (DOWN, {15.0: 0.6, 30.0: 0.66}, "c_l=40"),
        (DOWN, {40.0: 0.72, 80.0: 0.75}, "c_l=30"),
    ],
)
def test_advice_is_the_strength_to_try(
    strength: Strength, tried: dict[float, float], advice: str
) -> None:
    runs = [trained(a, strength=strength, value=value) for value, a in tried.items()]
    assert single(runs).advice == f"try --set {advice}"


@pytest.mark.parametrize(
    ("strength", "tried", "advice"),
    [
        (UP, {4: 0.683}, "--set eps=3"),
        (UP, {3: 0.683}, "--set eps=2"),
        (UP, {1: 0.72}, "--set eps=2"),
        (UP, {1: 0.683}, "a smaller --rung"),  # nothing below 1
        (UP, {2: 0.74, 5: 0.68}, "--set eps=4"),
        (UP, {2: 0.74, 5: 0.61}, "--set eps=3"),
        (UP, {3: 0.72, 4: 0.68}, "a smaller --rung"),  # nothing between
        (DOWN, {1: 0.683}, "--set c_l=2"),
        (DOWN, {1200: 0.683}, "--set c_l=1600"),
    ],
)
def test_advice_on_a_whole_strength_is_whole_and_not_tried(
    strength: Strength, tried: dict[int, float], advice: str
) -> None:
    runs = [trained(a, strength=strength, value=value) for value, a in tried.items()]
    assert single(runs).advice == f"try {advice}"


def test_advice_looks_at_final_checkpoints_alone() -> None:
    assert single([trained(0.683, [0.72, 0.69], value=0.4)]).advice == "try --set eps=0.3"


def test_without_a_strength_longer_training_helps_what_is_too_inaccurate() -> None:
    assert single([trained(0.6, strength=None)]).advice == f"try --epochs {2 * EPOCHS}"


def test_without_a_strength_finer_rungs_help_what_went_past() -> None:
    assert single([trained(0.8, [0.65, 0.75], strength=None)]).advice == "try a smaller --rung"


@pytest.mark.parametrize("target", [0, 1, -0.1, 70, float("nan")])
def test_a_target_that_is_no_fraction_is_refused(target: float) -> None:
    with pytest.raises(UserError, match=f"--matched-accuracy {target:g} is not between 0 and 1"):
        match([trained(0.7)], target)


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, 5, float("nan")])
def test_a_tolerance_that_is_no_fraction_is_refused(tolerance: float) -> None:
    with pytest.raises(UserError, match=f"--tolerance {tolerance:g} is not between 0 and 1"):
        match([trained(0.7)], 0.7, tolerance)


def test_few_validation_images_ask_for_a_wider_tolerance() -> None:
    assert single([trained(0.8, [0.65, 0.75], images=129)]).advice == (
        "try --tolerance 0.016, as 129 validation images tell no more"
    )
    assert single([trained(0.8, [0.65, 0.75], images=200)]).advice.startswith("try --set eps=")
