"""Questions make the cells of the rows that they are about alone, and find what all cells hold."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from explaining import pairs, seeded
from robench import archive
from robench.archive import Archive
from robench.cells import Cell
from robench.comparison import Difference, Pairs
from robench.errors import UserError
from robench.provenance import explain
from robench.questions import asked, asked_of, cells_of

UNKNOWN = (
    "nobody rho_cw",
    "fgm",
    "fgm nothing",
    "fgm 0.95 rho_cw",
    "fgm - nobody difference",
    "fgm - pgd nothing",
    "",
)


@pytest.fixture(params=[pairs, seeded])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    """Return the records of a small leaderboard."""
    request.param(tmp_path)
    return archive.read(tmp_path)


def said(groups: Sequence[Sequence[Cell]]) -> list[list[tuple[str, ...]]]:
    """Return what tells the cells of an answer from others."""
    return [[(c.table, c.row, c.column, c.text, str(c.target)) for c in own] for own in groups]


def answer(found: Archive, question: str) -> object:
    """Return what is found among the cells of one's own rows, or the line that says it is not."""
    try:
        return said(asked_of(found, question))
    except UserError as error:
        return str(error)


def answer_of_all(there: Sequence[Cell], question: str) -> object:
    """Return the same of all cells."""
    try:
        return said(asked(there, question))
    except UserError as error:
        return str(error)


def test_every_question_finds_what_it_finds_among_all_cells(found: Archive) -> None:
    there = cells_of(found)
    questions = dict.fromkeys(f"{way} {cell.numbers[-1]}" for cell in there for way in cell.ways)
    some = list(questions)[:: max(1, len(questions) // 60)]
    assert len(some) >= 40
    for question in (*some, *UNKNOWN):
        assert answer(found, question) == answer_of_all(there, question), question


def test_a_question_computes_the_differences_that_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs(tmp_path)
    found, computed, plain = archive.read(tmp_path), Counter[tuple[str, str]](), Pairs.of

    def counting(self: Pairs, first: str, second: str) -> Difference:
        computed[first, second] += 1
        return plain(self, first, second)

    monkeypatch.setattr(Pairs, "of", counting)
    explain(found, "fgm rho_cw", 0.7)
    assert not computed
    explain(found, "fgm - pgd difference", 0.7)
    assert computed == {("fgm", "pgd"): 1}
    computed.clear()
    (told,) = explain(found, "fgm rank", 0.7)
    assert computed == {("baseline", "fgm"): 1, ("fgm", "pgd"): 1}
    assert [(one.first, one.second) for one in told.pairs] == list(computed)


def test_a_target_where_nothing_is_matched_is_told_with_those_there_are(tmp_path: Path) -> None:
    pairs(tmp_path)
    found = archive.read(tmp_path)
    for words in ("0.95 rho_cw", "0.95"):
        with pytest.raises(UserError) as caught:
            asked_of(found, f"fgm {words}")
        assert str(caught.value) == (
            f"no 'fgm {words}': fgm is not matched at 0.95; matched at 0.65, 0.70"
        )
    for words in ("0.70 nothing", "0.7", "nothing"):
        with pytest.raises(UserError, match=r"no number .*; fgm has: rank, "):
            asked_of(found, f"fgm {words}")
