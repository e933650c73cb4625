"""What more attacks change on the part of the images that they were run on."""

from pathlib import Path

import numpy as np
import pytest

import tiny
from recordings import EPS, Recorder, drawn, match
from robench import archive, leaderboard, metrics
from robench.archive import Archive
from robench.outcomes import Outcomes
from robench.part import Part, part_of
from robench.part_table import on_part
from robench.provenance import explain
from robench.ranking import Ranking, rank
from robench.standings import sections

COUNT, PART = 200, np.arange(20, 100)
FAR = {"baseline": 0.2, "fgm": 0.4, "pgd": 0.43}


def stronger(one: Outcomes, share: float) -> Outcomes:
    """Return the outcomes of an attack on `PART` that comes `share` nearer."""
    part = one.at(PART)
    scale = np.float32(share)
    return Outcomes(
        *(part.index, part.label, part.clean, part.adversarial),
        distance=part.distance * scale,
        success=part.success,
        norm=part.norm * scale,
    )


def recorded(root: Path, shares: dict[str, float]) -> Archive:
    """Record three defenses under cw on all images, and under walk on a part of them."""
    recorder = Recorder(root)
    runs = {
        name: recorder.run(name, {} if name == "baseline" else {"eps": 0.1}, EPS) for name in FAR
    }
    for name, run in runs.items():
        everywhere = drawn(3, FAR[name], COUNT)
        recorder.evaluation(run, "cw", everywhere)
        if name in shares:
            recorder.evaluation(run, "walk", stronger(everywhere, shares[name]), images="p" * 64)
    for run in runs.values():
        recorder.audit(run)
    recorder.matches([match(run) for run in runs.values()])
    return archive.read(root)


def ranked(found: Archive) -> Ranking:
    """Return the only ranking."""
    (section,) = sections(found)
    (standing,) = section.standings
    return rank(standing, found.audits)


def part(found: Archive) -> Part:
    """Return the part of the only ranking."""
    made = part_of(ranked(found))
    assert made is not None
    return made


def test_it_is_the_envelope_on_the_part_before_and_after(tmp_path: Path) -> None:
    found = recorded(tmp_path, {"baseline": 0.9, "fgm": 0.5, "pgd": 0.9})
    made = part(found)
    assert made.count == len(PART)
    assert [way.condition.attack for way in made.ways] == ["walk"]
    for line in made.lines:
        everywhere = drawn(3, FAR[line.entry.variant], COUNT).at(PART)
        before = metrics.rho_correct(everywhere)
        share = 0.5 if line.entry.variant == "fgm" else 0.9
        assert line.before.value == pytest.approx(before)
        assert line.after.value == pytest.approx(share * before, rel=1e-6)
        assert line.lowered == pytest.approx(1 - share, rel=1e-5)


def test_ranks_are_those_of_the_part_alone(tmp_path: Path) -> None:
    found = recorded(tmp_path, {"baseline": 1.0, "fgm": 0.4, "pgd": 1.0})
    first = ranked(found).entries[0]
    assert (first.variant, first.rank) == ("pgd", 1)
    places = {line.entry.variant: line.rank for line in part(found).lines}
    assert places == {"pgd": 1, "baseline": 2, "fgm": 3}
    assert "Not all ranks are the same as on all images" in on_part(ranked(found))[0]


def test_attacks_that_change_nothing_leave_the_ranks(tmp_path: Path) -> None:
    found = recorded(tmp_path, dict.fromkeys(FAR, 1.0))
    said, shown = on_part(ranked(found))
    assert "on 80 of these images: walk on 80 images. The ranks are the same" in said
    assert shown.count("| 0.0% |") == 3
    assert {line.rank for line in part(found).lines} == {1, 2, 3}


def test_without_more_attacks_there_is_no_such_table(tmp_path: Path) -> None:
    assert part_of(ranked(recorded(tmp_path, {}))) is None
    assert on_part(ranked(archive.read(tmp_path))) == []


def test_attacks_on_one_row_alone_are_none_that_rows_share(tmp_path: Path) -> None:
    assert part_of(ranked(recorded(tmp_path, {"fgm": 0.5}))) is None


def test_the_page_shows_it_and_explain_finds_it(tmp_path: Path) -> None:
    recorded(tmp_path / "runs", {"baseline": 0.9, "fgm": 0.5, "pgd": 0.9})
    out = tmp_path / "out"
    assert tiny.robench("report", "--runs", tmp_path / "runs", "--out", out).code == 0
    page = (out / leaderboard.README).read_text()
    assert "**Under more attacks**, on 80 of these images" in page
    found = archive.read(out / "records")
    for number in ("rank_on_part", "rho_correct_before", "rho_correct_after", "lowered"):
        (one,) = explain(found, f"fgm 0.70 {number}")
        assert one.shown[0].table == "more attacks"
        assert one.remark == "on 80 of the images"
        assert {result.attack for result in one.measurements} == {"cw", "walk"}
    (one,) = explain(found, "fgm lowered")
    assert one.shown[0].text == "50.0%"
