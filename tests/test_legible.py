"""What a page shows of many rows, and that no number changes for being one of many."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from markup import parsed
from recordings import Recorder, drawn, match, outcomes
from robench import archive, legible
from robench.comparison import Difference, Pairs, compare, standing_behind
from robench.contents import AccuracyNorm, AtAGlance, Content, RobustnessCurve
from robench.outcomes import Outcomes
from robench.page import page
from robench.ranking import ranked
from robench.site import rendering, writing
from suites import small_suite

ROWS = {f"row {place}": [drawn(place, 0.3 + 0.01 * place)] for place in range(7)}


def counted(names: Sequence[str], differences: Sequence[Difference]) -> dict[str, int]:
    """Return 1 and the number of leaders of each, from all differences one by one."""
    return {
        name: 1
        + sum(
            name in (one.first, one.second) and one.leader not in (None, name)
            for one in differences
        )
        for name in names
    }


def test_pairs_are_a_sequence_of_all_differences() -> None:
    pairs, whole = Pairs(ROWS), compare(ROWS)
    assert len(pairs) == len(whole) == 21
    assert tuple(pairs) == whole == pairs[:]
    assert [pairs[place] for place in range(21)] == list(whole)
    assert (pairs[-1], pairs[3:5]) == (whole[-1], whole[3:5])
    for place in (21, -22):
        with pytest.raises(IndexError):
            pairs[place]
    assert pairs.of("row 1", "row 3") == whole[whole.index(pairs.of("row 1", "row 3"))]


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.05, 0.5])
def test_ranks_are_those_of_counting_the_leaders_of_every_pair(spread: float) -> None:
    rows = {f"{place}": [drawn(place, 0.3 + spread * place)] for place in range(9)}
    rows["resists"] = [outcomes([True] * 200, [np.inf] * 200)]
    rows["again"] = rows["3"]
    pairs = Pairs(rows)
    assert pairs.ranks() == counted(pairs.names, list(pairs))
    assert Pairs({}).ranks() == {}


def test_ranks_do_not_depend_on_how_many_rows_are_taken_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Pairs(ROWS)
    expected = (whole.ranks(), tuple(whole))
    monkeypatch.setattr("robench.comparison.BATCH", 2)
    monkeypatch.setattr("robench.comparison.BLOCK", 1)
    cut = Pairs(ROWS)
    assert (cut.ranks(), tuple(cut)) == expected


@pytest.mark.parametrize("more", [49, 50])
def test_a_row_is_behind_where_the_interval_leaves_out_nothing(more: int) -> None:
    """Of 2,000 resamples, a lead bears 49 that are not above 0: the 2.5 % percentile is the 50th"""
    other: NDArray[np.float64] = np.zeros(2000)
    own = np.ones(2000)
    own[:more] = 0.0
    assert standing_behind(np.stack([own, other])).tolist() == [0, int(more == 49)]
    assert standing_behind(np.stack([other, own])).tolist() == [int(more == 49), 0]


def many(count: int) -> dict[str, list[Outcomes]]:
    """Return rows, each further than the one before."""
    return {f"{place}": [drawn(1, 0.1 + 0.1 * place, count=20)] for place in range(count)}


def test_of_many_rows_each_is_held_against_the_first_and_the_next() -> None:
    rows = many(legible.WHOLE + 1)
    pairs, best = Pairs(rows), [*reversed(rows)]
    shown = [(one.first, one.second) for one in legible.pairs_of(pairs, best)]
    assert shown[:2] == [("23", "24"), ("22", "24")]
    assert shown[-1] == ("0", "1")
    assert set(shown) < {(one.first, one.second) for one in pairs}
    assert len(shown) == len(set(shown)) == 2 * legible.WHOLE - 1
    said = legible.left_out(pairs)
    assert "of the 300 pairs" in said
    assert "robench explain" in said


def test_few_rows_are_shown_whole() -> None:
    pairs = Pairs(many(legible.WHOLE))
    assert legible.pairs_of(pairs, pairs.names) == list(pairs)
    assert legible.left_out(pairs) == ""
    assert legible.some(legible.MOST) == ""
    assert legible.some(legible.MOST + 1) == ", the first 12 of 13"


def test_figures_of_many_variants_hold_the_most_robust_and_say_so(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    names = [f"own {place:02}" for place in range(legible.MOST + 2)]
    runs = [recorder.run("own", {"place": place}, variant=name) for place, name in enumerate(names)]
    for place, run in enumerate(runs):
        recorder.evaluation(run, "cw", drawn(1, 1.0 - 0.05 * place))
    for run in runs:  # an audit lists all evaluations that are there
        recorder.audit(run)
    recorder.matches([match(run) for run in runs])
    ((section, (ranking,)),) = ranked(archive.read(tmp_path))
    text, figures = page(archive.read(tmp_path), [(section, [ranking])], "")
    drawn_names = {
        type(one.content).__name__: names_in(one.content, section.variants) for one in figures
    }
    assert [one.variant for one in ranking.entries] == names
    assert set(drawn_names) == {"AtAGlance", "AccuracyNorm", "RobustnessCurve"}
    assert all(found == names[: legible.MOST] for found in drawn_names.values())
    assert "Left out: 2 variants more" in text
    assert text.count("the first 12 of 14") == 1  # the caption; titles are in the figures
    assert all(name in text for name in names)


def names_in(content: Content, variants: Sequence[str]) -> list[str]:
    """Return the variants that a figure draws, in their order."""
    if isinstance(content, AtAGlance):
        found = {one.variant for panel in content.panels for one in panel.places}
    elif isinstance(content, RobustnessCurve):
        found = {one.variant for panel in content.panels for one in panel.points}
    else:
        assert isinstance(content, AccuracyNorm)
        found = {one.variant for panel in content.panels for one in panel.lines}
    return [variants[place] for place in sorted(found)]


def test_of_many_rows_the_page_lists_some_pairs_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_suite(tmp_path / "records")
    monkeypatch.setattr("robench.legible.WHOLE", 1)
    found = parsed(rendering.render(writing.page(tmp_path)))
    tables = [one for one in found.all("table") if "pairs" in one.given.get("class", "").split()]
    assert all(len([row for row in table.inner if row.tag == "tr"]) > 1 for table in tables)
    said = [one.text for one in found.all("p") if one.given.get("class") == "left-out"]
    assert len(said) == len(tables) > 0
    assert all("Ask for another: robench explain" in one for one in said)
