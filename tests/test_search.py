"""The matching search on real trainings, of a defense whose accuracy is known beforehand."""

from pathlib import Path
from typing import Any

import pytest

import tiny
from robench.bracketing import Dial
from robench.claim import ENDING, Lost
from robench.errors import UserError
from robench.planning import Request
from robench.records import Epoch
from robench.runs import read_runs
from robench.search import Begun, Event, Outcome, Trial, dial_of, search

MERGING = str(Path(__file__).parent / "merging.py")
LEARNS = {**tiny.SMALL, "epochs": 8, "batch_size": 12, "learning_rate": 0.01}
"""What it takes to tell three tints apart: at the end, an accuracy of 1, 2/3 or 1/3."""


def request(data: Path, runs: Path, **changed: Any) -> Request:
    """Return the request of a training that learns; `changed` overrides."""
    settings = {"model.width": 0.1, **changed.pop("settings", {})}
    rest: dict[str, Any] = {**LEARNS, "validation": 24, "rung": 0.0, "seed": 1, **changed}
    return Request(rest.pop("defense", MERGING), settings, data_dir=data, runs=runs, **rest)


def trail(events: list[Event]) -> list[tuple[str, float, str]]:
    """Return what was tried."""
    return [
        (one.setting, round(one.point.accuracy, 3), one.state)
        for one in events
        if isinstance(one, Trial)
    ]


def ended(events: list[Event]) -> Outcome:
    """Return the outcome, which comes last and once."""
    assert [isinstance(one, Outcome) for one in events] == [False] * (len(events) - 1) + [True]
    assert isinstance(events[-1], Outcome)
    return events[-1]


@pytest.fixture(scope="module")
def searched(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """Return the runs and the events of a search for a third; not to be changed."""
    runs = tmp_path_factory.mktemp("searched")
    return runs, list(search(request(tints, runs), 1 / 3))


def test_it_brackets_past_a_divergence_and_closes_in(searched: tuple[Path, list[Event]]) -> None:
    runs, events = searched
    assert trail(events) == [
        ("merged=1", 1.0, "trained"),
        ("merged=2", 0.667, "trained"),
        ("merged=4", float("-inf"), "diverged"),
        ("merged=3", 0.333, "trained"),
    ]
    outcome = ended(events)
    assert (outcome.trained, outcome.reason) == (4, "")
    assert outcome.matched is not None
    found = {run.key: run for run in read_runs(runs)}
    assert len(found) == 3
    assert found[outcome.matched.run].spec.settings["merged"] == 3
    assert [one.setting for one in events if isinstance(one, Begun)] == [
        *("merged=1", "merged=2", "merged=4", "merged=3"),
    ]
    assert sum(isinstance(one, Epoch) for one in events) == 3 * 8


def test_a_repeated_search_trains_nothing(searched: tuple[Path, list[Event]], tints: Path) -> None:
    runs, first = searched
    before = tiny.snapshot(runs)
    events = list(search(request(tints, runs), 1 / 3))
    assert {state for _, _, state in trail(events)} == {"known"}
    assert [setting for setting, _, _ in trail(events)] == ["merged=1", "merged=2", "merged=3"]
    again, before_it = ended(events).matched, ended(first).matched
    assert again is not None
    assert before_it is not None
    assert (ended(events).trained, again.run) == (0, before_it.run)
    assert tiny.snapshot(runs) == before


def test_what_is_known_serves_another_target(
    searched: tuple[Path, list[Event]], tints: Path
) -> None:
    outcome = ended(list(search(request(tints, searched[0]), 2 / 3)))
    assert outcome.trained == 0
    assert outcome.matched is not None
    assert outcome.matched.setting == "merged=2"


def test_between_two_whole_strengths_there_is_nothing(
    searched: tuple[Path, list[Event]], tints: Path
) -> None:
    outcome = ended(list(search(request(tints, searched[0]), 0.5)))
    assert (outcome.matched, outcome.trained) == (None, 0)
    assert outcome.reason == (
        "no final checkpoint within 0.005 of 0.5: nothing is left between the strengths around it. "
        "merged=1: accuracy 1.0000; merged=2: accuracy 0.6667; merged=3: accuracy 0.3333"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 2},
        {"epochs": 1},
        {"settings": {"limit": 99}},
        {"settings": {"dataset.pad": 1}},
        {"defense": "fgm"},
    ],
)
def test_runs_of_another_seed_protocol_or_variant_are_not_used(
    changed: dict[str, Any], searched: tuple[Path, list[Event]], tints: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    runs.symlink_to(searched[0])
    events = search(request(tints, runs, **changed), 1 / 3)
    assert isinstance(next(events), Begun)


def test_a_cap_ends_it_and_a_repeated_search_goes_on(tints: Path, tmp_path: Path) -> None:
    asked = request(tints, tmp_path)
    outcome = ended(list(search(asked, 1 / 3, cap=1)))
    assert (outcome.matched, outcome.trained) == (None, 1)
    assert outcome.reason == (
        "no final checkpoint within 0.005 of 0.333333: --cap 1 is used up. "
        "merged=1: accuracy 1.0000"
    )
    assert trail(list(search(asked, 1 / 3, cap=1))) == [
        ("merged=1", 1.0, "known"),
        ("merged=2", 0.667, "trained"),
    ]


def test_what_the_defense_refuses_is_told_and_costs_no_training(
    tints: Path, tmp_path: Path
) -> None:
    asked = request(tints, tmp_path, settings={"limit": 2})
    events = list(search(asked, 1 / 3))
    assert trail(events) == [
        ("merged=1", 1.0, "trained"),
        ("merged=2", 0.667, "trained"),
        ("merged=4", float("-inf"), "refused"),
        ("merged=3", float("-inf"), "refused"),
    ]
    outcome = ended(events)
    assert (outcome.matched, outcome.trained) == (None, 2)
    assert outcome.reason.endswith(
        "merged=1: accuracy 1.0000; merged=2: accuracy 0.6667; merged=3 refused; merged=4 refused"
    )


def test_what_fails_but_does_not_diverge_ends_the_search(tints: Path, tmp_path: Path) -> None:
    events = search(request(tints, tmp_path), 1 / 3)
    assert isinstance(next(events), Begun)
    assert isinstance(next(events), Epoch)
    (lease,) = tmp_path.rglob(f".*{ENDING}")
    lease.unlink()
    with pytest.raises(Lost, match="was taken over by another process: this one did not renew"):
        list(events)
    outcome = ended(list(search(request(tints, tmp_path), 0.999)))
    assert (outcome.trained, outcome.reason) == (1, "")  # it goes on


@pytest.mark.parametrize(
    ("changed", "target", "rest", "said"),
    [
        ({"defense": "baseline"}, 0.7, {}, "the defense baseline declares no strength"),
        ({"settings": {"merged": 2}}, 0.7, {}, "leave out --set merged"),
        ({"settings": {"limti": 2}}, 0.7, {}, "no setting 'limti'; did you mean 'limit'"),
        ({}, 70, {}, "--target 70 is not between 0 and 1; 70 % is 0.70"),
        ({}, float("nan"), {}, "--target nan is not between 0 and 1"),
        ({}, 0.7, {"tolerance": 0}, "--tolerance 0 is not between 0 and 1"),
        ({}, 0.7, {"cap": 0}, "--cap 0 is not at least 1"),
        ({}, 0.7, {}, "of 24 validation images no share lies within 0.005 of 0.7, the nearest is"),
    ],
)
def test_a_search_that_cannot_be(
    changed: dict[str, Any],
    target: float,
    rest: dict[str, Any],
    said: str,
    tints: Path,
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(UserError, match=said):
        next(search(request(tints, runs, **changed), target, **rest))
    assert not list(runs.glob("folder-*"))


def test_where_the_search_starts_is_the_defense_s_to_say() -> None:
    assert dial_of(Request("fgm")) == ("eps", Dial(0.1))
    assert dial_of(Request("pgn")) == ("c_l", Dial(50.0, "down"))
    assert dial_of(Request(MERGING)) == ("merged", Dial(1, whole=True))


def words(data: Path, runs: Path, target: float, **more: object) -> list[object]:
    """Return the words of a search that learns; `more` overrides."""
    given = {"defense": MERGING, "epochs": 8, "batch_size": 12, "lr": 0.01, "rung": 0, "seed": 1}
    given |= {"validation": 24, "target": target, **more}
    return ["match", *tiny.options(data, runs, **given)]


def test_the_command_tells_the_trail_and_the_run(
    searched: tuple[Path, list[Event]], tints: Path
) -> None:
    runs = searched[0]
    matched = ended(searched[1]).matched
    assert matched is not None
    told = tiny.robench(*words(tints, runs, 1 / 3))
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert [line.split("  ")[:3] for line in lines[:3]] == [
        ["merged=1", "accuracy 1.0000", "known"],
        ["merged=2", "accuracy 0.6667", "known"],
        ["merged=3", "accuracy 0.3333", "known"],
    ]
    assert lines[3:] == [
        f"matched: merged=3, accuracy 0.3333, {runs / matched.run}; models trained: 0"
    ]


def test_the_command_says_so_where_the_target_is_not_reached(
    searched: tuple[Path, list[Event]], tints: Path
) -> None:
    told = tiny.robench(*words(tints, searched[0], 0.5))
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert told.err.startswith("Error: no final checkpoint within 0.005 of 0.5: nothing is left ")
    assert told.err.endswith("merged=3: accuracy 0.3333; models trained: 0\n")
    none = tiny.robench(*words(tints, searched[0], 0.5, defense="baseline"))
    assert (none.code, none.err.count("\n")) == (2, 1)
    listed = none.err.strip().partition("With a strength: ")[2].split(", ")
    assert {"fgm", "pgd", "pgn"} <= set(listed)
    assert "baseline" not in listed


def test_the_command_shows_what_it_trains(tints: Path, tmp_path: Path) -> None:
    told = tiny.robench(*words(tints, tmp_path, 1 / 3, cap=1, epochs=1, set="limit=0"))
    assert told.code == 2  # the default is refused: the rest cannot be told from it
    told = tiny.robench(*words(tints, tmp_path, 1 / 3, epochs=1, tolerance=0.4, cap=1))
    assert told.code == 0, told.err
    (run,) = read_runs(tmp_path)
    first, epoch, second, last = told.out.splitlines()
    assert first == f"merged=1  {tmp_path / run.key}"
    assert epoch.startswith("  epoch 1/1  loss ")
    assert second == f"merged=1  accuracy {run.final.accuracy:.4f}  trained  {run.key}"
    assert last.endswith("models trained: 1")
