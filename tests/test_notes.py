"""A person's words on a leaderboard: their numbers come from its records, or it is refused."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from robench import archive, leaderboard
from robench.errors import UserError
from robench.markdown import escape
from robench.notes import filled, questions
from robench.provenance import explain
from robench.questions import cells_of
from robench.section_text import title
from suites import small_suite


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Return a leaderboard of four defenses."""
    small_suite(tmp_path / "runs")
    leaderboard.publish(tmp_path / "runs", tmp_path / "out")
    return tmp_path / "out" / "records"


def fill(text: str, records: Path) -> str:
    """Return `text`, filled from `records`."""
    return filled(text, lambda: cells_of(archive.read(records)))


def test_words_without_numbers_stay_and_ask_for_nothing() -> None:
    def none_wanted() -> list[object]:
        raise AssertionError("no number is asked for")

    text = "1. Plain words, {braces} and all.\n"
    assert filled(text, none_wanted) == text  # type: ignore[arg-type]


def test_a_number_is_that_which_explain_finds(records: Path) -> None:
    (behind,) = explain(archive.read(records), "baseline rho_cw")
    shown = fill("rho is {{baseline rho_cw}}, at rank {{ baseline 0.70 rank }}.", records)
    number = escape(behind.shown[0].text)
    (rank,) = explain(archive.read(records), "baseline 0.70 rank")
    assert shown == f"rho is {number}, at rank {rank.shown[0].text}."


def test_a_silent_question_is_checked_and_not_shown(records: Path) -> None:
    assert fill("One network.{{?baseline matched_by}}", records) == "One network."
    with pytest.raises(UserError, match=r"notes\.md asks for 'baseline height'"):
        fill("One network.{{?baseline height}}", records)


def test_each_sentence_is_followed_to_its_records(records: Path) -> None:
    first = "1. A {{baseline rank}} and\n   B {{?baseline rho_cw}}.\n"
    text = first + "2. Words alone.\n3. C {{baseline rank}}.\n\nEnd."
    assert questions(text) == [(1, ("baseline rank", "baseline rho_cw")), (3, ("baseline rank",))]
    shown = fill(text, records)
    assert "- 1: `baseline rank`, `baseline rho_cw`\n- 3: `baseline rank`" in shown
    assert shown.index("<details>") > shown.index("End.")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("pgx rank", "no row"),
        ("baseline rho_walk", "baseline has: rank"),
        ("", "no row"),
    ],
)
def test_what_no_record_answers_is_refused(question: str, said: str, records: Path) -> None:
    with pytest.raises(UserError, match=rf"notes\.md asks for '{question}': .*{said}"):
        fill("x {{" + question + "}}", records)


def test_a_question_that_several_rows_answer_is_refused(tmp_path: Path) -> None:
    small_suite(tmp_path / "runs")
    cells = cells_of(archive.read(tmp_path / "runs"))
    with pytest.raises(UserError, match="2 rows have: baseline 0"):
        filled("{{baseline rank}}", lambda: [*cells, *cells_of(archive.read(tmp_path / "runs"))])


def test_rows_without_a_benign_accuracy_are_told_apart_by_their_sections(tmp_path: Path) -> None:
    small_suite(tmp_path / "runs")
    found = [cells_of(archive.read(tmp_path / "runs")) for _ in range(2)]
    curves = [replace(one, ranking=None) for cells in found for one in cells]
    section = found[0][0].section
    with pytest.raises(UserError, match=rf"2 rows have: baseline {re.escape(title(section))}, "):
        filled("{{baseline rank}}", lambda: curves)


def test_the_page_opens_with_filled_notes_and_a_changed_record_makes_it_stale(
    records: Path,
) -> None:
    out = records.parent
    (records / "notes.md").write_text("1. rho is {{baseline rho_cw}}.\n")
    assert tiny.robench("report", "--runs", out / "none", "--out", out).code == 0
    page = (out / "README.md").read_text()
    (behind,) = explain(archive.read(records), "baseline rho_cw")
    assert f"1. rho is {escape(behind.shown[0].text)}." in page
    (records / "notes.md").write_text("1. rho is {{baseline rho_cx}}.\n")
    done = tiny.robench("report", "--check", "--out", out)
    assert done.code == 2
    assert "notes.md asks for 'baseline rho_cx'" in done.err
