"""Black-box results from several sources: of one recipe they stand in one table."""

import shutil
from pathlib import Path

import pytest

from rankings import at, audited, ranked, ranks, runs_of
from recordings import Recorder
from robench import archive, leaderboard
from robench.records import Run
from robench.standings import Standing, sections

BLACK = "cw black-box"


def standing(root: Path) -> Standing:
    """Return the one standing of the records."""
    (section,) = sections(archive.read(root))
    (found,) = section.standings
    return found


def attacked(recorder: Recorder, runs: list[Run], sources: list[Run], far: float = 2.0) -> None:
    """Record an attack on each run, white-box and from the source beside it."""
    for run, source in zip(runs, sources, strict=True):
        recorder.evaluation(run, "cw", at(1.0))
        recorder.evaluation(run, "cw", at(far), source=source)


def test_sources_that_differ_in_seed_stand_in_one_table(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    here, there = (recorder.run(seed=seed, source=True) for seed in (1000, 1001))
    runs = runs_of(recorder, ["one", "two", "three"])
    attacked(recorder, runs, [here, there, there])
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert ranks(found) == [("one", 1), ("three", 1), ("two", 1)]
    assert found.counted.names(found.counted.shared) == ["cw", BLACK]
    assert standing(tmp_path).sources == tuple(sorted((here.key, there.key)))
    said = "made on baseline of seed 1000 (accuracy 0.7031) and 1001 (accuracy 0.7031), each row's"
    assert said in leaderboard.pages(tmp_path)["README.md"].decode()


def test_a_source_of_another_recipe_is_left_out(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    usual, other = recorder.run(seed=9, source=True), recorder.run("fgm", seed=9, source=True)
    runs = runs_of(recorder, ["one", "two", "three"])
    attacked(recorder, runs, [usual, other, usual], far=0.5)
    audited(recorder, runs)
    found = ranked(tmp_path)
    assert ranks(found) == [("one", 1), ("three", 1), ("two", None)]
    two = next(entry for entry in found.entries if entry.variant == "two")
    assert f"not attacked by {BLACK}" in " ".join(two.reasons)
    assert standing(tmp_path).sources == (usual.key,)


def test_what_is_recorded_of_no_source_is_known_by_its_weights(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    sources = [recorder.run(seed=seed, source=True) for seed in (1000, 1001)]
    runs = runs_of(recorder, ["one", "two", "three"])
    attacked(recorder, runs, [sources[0], sources[1], sources[1]])
    shutil.rmtree(tmp_path / "sources")
    black = [bool(row.black) for row in standing(tmp_path).rows]
    assert [row.match.variant for row in standing(tmp_path).rows] == ["one", "three", "two"]
    assert black == [False, True, True]


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_sources_of_one_attack_that_of_most_rows_counts(tmp_path: Path, first: int) -> None:
    recorder = Recorder(tmp_path)
    sources = [recorder.run(seed=seed, source=True) for seed in (1000, 1001)]
    usual, other = sources[first], sources[1 - first]
    runs = runs_of(recorder, ["one", "two"])
    attacked(recorder, runs, [usual, usual])
    recorder.evaluation(runs[0], "cw", at(0.25), source=other)
    (one, _) = standing(tmp_path).rows
    (result,) = one.black.values()
    assert result.evaluation.source == usual.key
