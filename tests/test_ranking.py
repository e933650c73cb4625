"""Which attacks count, who is ahead, who ties and who is not ranked, from records made by hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rankings import COUNT, at, audited, only, ranked, ranks, runs_of
from recordings import Recorder, outcomes, rewrite
from robench.errors import UserError
from robench.ranking import Ranking


def suite(root: Path, distances: Mapping[str, float], seeds: Sequence[int] = (0,)) -> Ranking:
    """Rank defenses attacked once and audited without a finding."""
    recorder = Recorder(root)
    runs = runs_of(recorder, list(distances), seeds)
    for run in runs:
        recorder.evaluation(run, "cw", at(distances[run.variant]))
    audited(recorder, runs)
    return ranked(root)


def test_equal_defenses_tie_and_the_next_rank_counts_all_ahead(tmp_path: Path) -> None:
    found = suite(tmp_path, {"low": 0.5, "one": 1.0, "two": 1.0, "most": 1.5, "last": 0.25})
    assert ranks(found) == [("most", 1), ("one", 2), ("two", 2), ("low", 4), ("last", 5)]


def test_who_is_ahead_by_less_than_the_images_tell_is_level(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b", "c"])
    halves = np.resize([0.5, 1.5], COUNT)
    other = halves[::-1].copy()
    other[0] += 0.1  # by 0.0025 on average, among differences of 1
    for run, far in zip(runs, (halves, other, halves / 10), strict=True):
        recorder.evaluation(run, "cw", outcomes([True] * COUNT, far))
    audited(recorder, runs)
    assert ranks(ranked(tmp_path)) == [("b", 1), ("a", 1), ("c", 3)]


def test_seeds_of_a_defense_are_one_entry_and_their_spread_can_tie_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["spread", "still"], (0, 1))
    for run, far in zip(runs, (0.5, 1.5, 0.9, 0.9), strict=True):
        recorder.evaluation(run, "cw", at(far))
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert ranks(found) == [("spread", 1), ("still", 1)]
    numbers = found.entries[0].numbers
    assert numbers is not None
    assert numbers.rho_correct.value == 1.0
    assert (numbers.rho_correct.low, numbers.rho_correct.high) == (0.5, 1.5)
    assert found.entries[0].seconds_per_epoch == 8.5
    assert [row.match.seed for row in found.entries[0].rows] == [0, 1]


def test_the_envelope_over_both_sides_and_budgets_ranks(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    source = recorder.run(seed=9, source=True)
    runs = runs_of(recorder, ["hidden", "honest"])
    for run, white, black in zip(runs, (9.0, 1.0), (0.25, 2.0), strict=True):
        recorder.evaluation(run, "cw", at(white))
        recorder.evaluation(run, "cw", at(black), source=source)
        recorder.evaluation(run, "fgm", at(0.5, failing=COUNT - 1), minimal=False)
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert ranks(found) == [("honest", 1), ("hidden", 2)]
    values = [entry.numbers.rho_correct.value for entry in found.entries if entry.numbers]
    assert values == [pytest.approx((39 + 0.5) / 40), 0.25]
    assert found.counted.radii == (0.5,)
    names = found.counted.names(found.counted.shared)
    assert names == ["fgm at 0.5", "cw", "cw black-box"]


def test_one_more_attack_on_one_row_costs_it_nothing(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["more", "less"])
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
    recorder.evaluation(runs[0], "deepfool", at(0.5))
    audited(recorder, runs)
    assert ranks(ranked(tmp_path)) == [("less", 1), ("more", 1)]
    recorder.evaluation(runs[1], "deepfool", at(0.75))
    audited(recorder, runs)
    assert ranks(ranked(tmp_path)) == [("less", 1), ("more", 2)]


def test_a_row_that_lacks_what_most_were_put_to_is_told_the_command(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b", "c"])
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
    for run in runs[:2]:
        recorder.evaluation(run, "apgd", at(0.5), minimal=False, settings={"loss": "ce"})
        recorder.evaluation(run, "apgd", at(0.5), minimal=False, settings={"loss": "dlr"})
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert ranks(found) == [("a", 1), ("b", 1), ("c", None)]
    assert found.entries[2].reasons == (
        "not attacked by apgd (loss=ce) at 0.5, apgd (loss=dlr) at 0.5; "
        "run: robench eval --matched-accuracy 0.70",
    )
    assert found.entries[2].numbers is None
    assert found.entries[2].benign is not None
    assert found.envelope(found.entries[2].rows[0]) is None


def test_the_command_is_made_up_where_none_was_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b", "c"])
    for run in runs[:2]:
        recorder.evaluation(run, "cw@0123", at(1.0))
    (tmp_path / "evaluations").mkdir(exist_ok=True)
    for path in (tmp_path / "evaluations").glob("*.json"):
        text = path.read_text().replace("robench eval --matched-accuracy 0.70", "")
        rewrite(path, json.loads(text))
    recorder.evaluation(runs[2], "walk", at(1.0))
    reason = ranked(tmp_path).entries[2].reasons[0]
    assert reason.endswith("; run: robench eval --matched-accuracy 0.70 --attack cw")


def test_adaptive_attacks_count_for_the_defense_they_were_made_for(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["gan", "plain"], (0, 1))
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
    recorder.evaluation(runs[0], "through", at(0.25), adaptive=True)
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert ranks(found) == [("plain", 1), ("gan", None)]
    assert found.entries[1].reasons == (
        "seed 1: not attacked by through; run: robench eval --matched-accuracy 0.70",
    )
    recorder.evaluation(runs[1], "through", at(0.5), adaptive=True)
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert ranks(found) == [("plain", 1), ("gan", 2)]
    assert found.entries[1].numbers is not None
    assert found.entries[1].numbers.rho_correct.value == (0.25 + 0.5) / 2


def test_an_adaptive_attack_on_most_rows_is_none_that_the_others_lack(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["gan", "gun", "plain"])
    for run, far in zip(runs, (0.5, 0.75, 1.0), strict=True):
        recorder.evaluation(run, "cw", at(1.0))
        if run.variant != "plain":
            recorder.evaluation(run, "through", at(far), adaptive=True)
    audited(recorder, runs)
    assert ranks(ranked(tmp_path)) == [("plain", 1), ("gun", 2), ("gan", 3)]


def test_an_attack_on_a_part_of_the_images_counts_there(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b"])
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
        recorder.evaluation(run, "hop", at(0.5, count=10), images="part")
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert found.counted.standing.count == COUNT
    assert found.counted.names(found.counted.shared) == ["cw", "hop on 10 images"]
    for entry in found.entries:
        assert entry.numbers is not None
        assert entry.numbers.rho_correct.value == (10 * 0.5 + 30) / 40


def test_a_row_without_the_attack_on_a_part_is_not_ranked(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b", "c"])
    for run in runs:
        recorder.evaluation(run, "cw", at(1.0))
    for run in runs[:2]:
        recorder.evaluation(run, "hop", at(0.5, count=10), images="part")
    audited(recorder, runs)
    assert "not attacked by hop on 10 images;" in ranked(tmp_path).entries[2].reasons[0]


def test_other_images_are_no_part_and_the_whole_goes_before_a_part(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    (run,) = runs_of(recorder, ["a"])
    recorder.evaluation(run, "cw", at(1.0))
    recorder.evaluation(run, "mim", at(1.0))
    elsewhere = replace(at(0.1, count=10), index=np.arange(90, 100, dtype=np.int32))
    recorder.evaluation(run, "hop", elsewhere, images="elsewhere")
    recorder.evaluation(run, "cw", at(0.1, count=10), images="part")
    found = ranked(tmp_path)
    assert only(found).rows[0].parts == ()
    assert only(found).envelopes[0].distance.tolist() == [1.0] * COUNT
    assert found.counted.names(found.counted.shared) == ["cw", "mim"]


def test_arrays_of_other_images_than_recorded_are_refused(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = runs_of(recorder, ["a", "b"])
    recorder.evaluation(runs[0], "cw", at(1.0))
    shifted = replace(at(1.0), index=np.arange(1, COUNT + 1, dtype=np.int32))
    wrong = recorder.evaluation(runs[1], "cw", shifted)
    with pytest.raises(UserError, match=f"evaluations/{wrong.key}.json are of other images"):
        ranked(tmp_path)
