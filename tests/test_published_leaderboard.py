"""The published leaderboard: what a person says on it, and what its records can show."""

import re
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest

from robench import archive, metrics
from robench.archive import Archive
from robench.cells import Cell
from robench.notes import questions
from robench.provenance import explained
from robench.questions import asked, cells_of
from robench.ranking import rank
from robench.standings import sections

LEADERBOARD = Path(__file__).parents[1] / "leaderboard"
NOTES = (LEADERBOARD / "records" / "notes.md").read_text()
OF_NETWORKS = ("seeds", "matched_by", "audit", "seconds_per_epoch")
"""Numbers that no evaluation stands behind."""


@pytest.fixture(scope="module")
def found() -> Archive:
    """Return the published records."""
    return archive.read(LEADERBOARD / "records")


@pytest.fixture(scope="module")
def cells(found: Archive) -> Sequence[Cell]:
    """Return the cells of all published tables."""
    return cells_of(found)


def test_the_page_begins_with_ten_sentences() -> None:
    page = (LEADERBOARD / "README.md").read_text()
    opening = page[: page.index("\n## ")]
    assert [int(one) for one in re.findall(r"^(\d+)\. ", opening, re.MULTILINE)] == [*range(1, 11)]
    assert len(opening[: opening.index("\n1. ")]) < 400


def test_every_sentence_rests_on_records() -> None:
    assert [number for number, _ in questions(NOTES)] == [*range(1, 11)]


@pytest.mark.parametrize("question", sorted({one for _, own in questions(NOTES) for one in own}))
def test_explain_finds_the_record_behind_each_sentence(
    question: str, found: Archive, cells: Sequence[Cell]
) -> None:
    (meant,) = asked(cells, question)
    behind = explained(found, meant)
    assert behind.networks
    assert behind.measurements or behind.number in OF_NETWORKS
    assert all("epochs" in one.training for one in behind.networks)


@pytest.mark.parametrize("defense", ["fgm", "pgd"])
def test_another_training_seed_gives_the_same_within_its_interval(
    defense: str, found: Archive
) -> None:
    (entry,) = (
        entry
        for section in sections(found)
        for standing in section.standings
        for entry in rank(standing, found.audits).entries
        if entry.variant == defense and len(entry.rows) > 1
    )
    measured = [metrics.distances(one).rho_correct for one in entry.envelopes]
    for own, other in permutations(measured, 2):
        assert own.low <= other.value <= own.high
