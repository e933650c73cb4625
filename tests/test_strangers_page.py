"""Networks that robench did not train on the page in HTML, and in the report as JSON."""

import json
import shlex
from pathlib import Path

import pytest

import robench
import strangers
import tiny
from markup import Element, parsed
from strangers import ATTACKS, IMAGES, evaluated

pytest.importorskip("markdown_it", reason="needs the extra robench[html]")
pytest.importorskip("vl_convert", reason="needs the extra robench[html]")


@pytest.fixture(scope="module")
def board(tints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a leaderboard of two networks, one of them audited, beside its page `site`."""
    place = tmp_path_factory.mktemp("strangers")
    evaluated(tints, place / "runs", strangers.tints(), name="planes", audit=True)
    evaluated(tints, place / "runs", strangers.normalised(), name="as | it | is", as_is=True)
    robench.report(place / "runs", place / "board", html=place / "site")
    return place / "board"


@pytest.fixture(scope="module")
def page(board: Path) -> list[Element]:
    """Return the elements of the page."""
    return parsed((board.parent / "site" / "index.html").read_bytes()).elements


def grid(page: list[Element], caption: str) -> list[list[str]]:
    """Return the texts of a table, head and all."""
    (table,) = [
        one
        for one in page
        if one.tag == "table" and any(c.tag == "caption" and c.text == caption for c in one.inner)
    ]
    rows = [one for one in table.inner if one.tag == "tr"]
    return [[" ".join(cell.text.split()) for cell in row.cells] for row in rows]


def test_they_stand_in_a_section_of_their_own(page: list[Element]) -> None:
    head, *lines = grid(page, "Networks that robench did not train: folder")
    assert head[:3] == ["network", "benign accuracy", "images"]
    assert [line[0] for line in lines] == ["as | it | is", "planes"]
    assert lines[1][1:3] == ["1.0000 [0.758, 1.000]", str(IMAGES)]
    text = " ".join(one.text for one in page if one.tag == "p")
    assert "not ranked" in text
    assert "Left out" not in text
    assert not any("No records yet" in one.text for one in page)


def test_behind_each_are_its_attacks_its_audit_and_where_it_is_from(
    page: list[Element], tmp_path_factory: pytest.TempPathFactory
) -> None:
    attacks = grid(page, "Under each attack: planes")
    assert [line[0].partition(" ")[0] for line in attacks[1:]] == list(ATTACKS)
    text = "".join(one.text for one in page if one.tag == "details")
    assert "planes: each attack, the audit, where it is from" in text
    assert "not by robench, and not known to it" in text
    assert "Not audited." in text
    assert "records/evaluations/RECORD.samples.npz" in text
    assert str(tmp_path_factory.getbasetemp()) not in text  # paths of who made the page


def test_every_number_answers_its_question(board: Path, page: list[Element]) -> None:
    asked = 0
    for table in (one for one in page if one.tag == "table"):
        (head, *rows) = [one for one in table.inner if one.tag == "tr"]
        for row in rows:
            name = row.given.get("data-row") or table.given.get("data-row")
            of = row.given.get("data-of")
            for column, cell in zip(head.cells[1:], row.cells[1:], strict=True):
                number = cell.given.get("data-n") or column.given.get("data-n")
                if not name or not number or cell.text.strip() == "-":
                    continue
                number = f"{number}_{of}" if of and "data-n" not in cell.given else number
                ended = tiny.robench("explain", "--out", board, f"{name} {number}")
                assert ended.code == 0, shlex.join([name, number]) + ended.err
                asked += 1
    assert asked > 20


def test_the_report_as_json_has_them(board: Path) -> None:
    runs = board.parent / "runs"
    (table,) = json.loads(tiny.robench("report", "--json", "--out", board, "--runs", runs).out)
    assert (table["dataset"], table["target"], table["images"]) == ("folder", None, IMAGES)
    other, planes = table["rows"]
    assert [other["variant"], planes["variant"]] == ["as | it | is", "planes"]
    assert planes["rank"] is None
    assert planes["benign"]["value"] == 1.0
    assert [one["radius"] for one in planes["accuracy"]] == [0.5]
    (network,) = planes["networks"]
    assert [one["attack"] for one in network["attacks"]] == list(ATTACKS)
    assert all(one["white_box"] for one in network["attacks"])
