"""Every number of the page can be asked for, and is said as the page says it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from explaining import pairs, seeded
from robench import archive, leaderboard
from robench.archive import Archive
from robench.markdown import plain
from robench.provenance import explained
from robench.provenance_text import lines
from robench.questions import asked, cells_of
from suites import small_suite

SUMMARY = {
    "rank": "rank",
    "seeds": "seeds",
    "images": "images",
    "benign accuracy": "benign",
    "rho_correct, envelope": "rho_correct_envelope",
    "rho, envelope": "rho_envelope",
    "success rate": "success_envelope",
    "accuracy, envelope at 0.5": "accuracy_envelope at 0.5",
    "s/epoch": "seconds_per_epoch",
    "audit": "audit",
}
PAPER = {
    "accuracy white-box": "accuracy_{}",
    "mean L2 (rho)": "rho_{}",
    "median L2": "median_{}",
    "success rate": "success_{}",
    "rho_correct": "rho_correct_{}",
    "accuracy black-box": "accuracy_black_{}",
    "benign accuracy": "benign",
    "s/epoch": "seconds_per_epoch",
    "images": "images_{}",
    "matched by": "matched_by",
}


@pytest.fixture(scope="module", params=[small_suite, seeded])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Return the records of a small leaderboard; not to be changed."""
    root = tmp_path_factory.mktemp("board")
    request.param(root)
    return archive.read(root)


def shown(page: str, first: str) -> Iterator[tuple[str, str, str]]:
    """Yield row, attack or nothing, column and cell of the one table that begins so."""
    (table,) = [part for part in page.split("\n\n") if part.startswith(f"| {first} |")]
    header, _, *rows = [re.split(r" \| ", row[2:-2]) for row in table.splitlines()]
    name = ""
    for row in rows:
        own = dict(zip(header, row, strict=True))
        name = own.pop("defense").strip("*") or name
        attack = own.pop("attack", "").strip("*")
        own.pop("not ranked because", None)
        for column, cell in own.items():
            if cell:
                number = SUMMARY[column] if first == "rank" else PAPER[column].format(attack)
                yield plain(name), plain(number), cell


@pytest.mark.parametrize("first", ["rank", "defense"])
def test_every_cell_is_explained_as_the_page_shows_it(found: Archive, first: str) -> None:
    page = leaderboard.render(found.root)["README.md"].decode()
    table = {"rank": "summary", "defense": "paper's columns"}[first]
    cells, told = cells_of(found), 0
    for row, number, cell in shown(page, first):
        if number.endswith("_-"):
            continue  # of a row that is not matched: it has no attacks
        said = [
            one.text
            for group in asked(cells, f"{row} {number}")
            if group[0].row == row
            for one in explained(found, group).shown
            if one.table == table
        ]
        assert plain(cell) in said, (row, number)
        told += 1
    assert told >= 20


ASKED = {
    "difference in benign accuracy": "benign",
    **{"difference in rho_correct": "difference", "mean advantage in rho": "advantage"},
    **{"shared accuracies": "shared_accuracies", "share ahead": "share_ahead"},
    **{name: name for name in ("verdict", "images", "seeds", "area", "crossings", "points")},
    **{"s/epoch": "seconds_per_epoch", "s/epoch, paper": "seconds_per_epoch_paper"},
}
BESIDE = {
    **{"over the baseline's": "rho_cw_over_baseline", "rho of cw": "rho_cw"},
    "benign accuracy": "benign",
}


def question(row: str, column: str, at: str) -> str:
    """Return the words for a cell of a table; `at`: the heading that it stands below."""
    measure, _, which = column.rpartition(", ")
    if measure in BESIDE and which == "paper":
        return f"{row} {BESIDE[measure]}_paper"
    if measure == "rho of cw":
        return f"{row} {which.removeprefix('at ')} rho_cw_mean"
    if measure in BESIDE:
        return f"{row} {which.removeprefix('at ')} {BESIDE[measure]}"
    target = re.findall(r"^Matched at benign accuracy (\S+)", at)
    return " ".join([row, *target, ASKED[column]])


def unlike(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield table, question, and cell of the pairs and of what stands beside the paper."""
    known = {
        "Matched": "paired differences",
        "Robustness": "robustness curves",
        "Beside": "beside the paper",
    }
    for below in page.split("\n### ")[1:]:
        for table in below.split("\n\n"):
            if not table.startswith(("| defenses |", "| defense | over")):
                continue
            header, _, *rows = [re.split(r" \| ", row[2:-2]) for row in table.splitlines()]
            for row in rows:
                for column, cell in zip(header[1:], row[1:], strict=True):
                    asks = question(plain(row[0]), column, below)
                    yield known[below.split()[0]], asks, cell


def test_every_cell_of_pairs_and_beside_the_paper_is_explained(tmp_path: Path) -> None:
    pairs(tmp_path)
    found = archive.read(tmp_path)
    cells, told = cells_of(found), Counter[str]()
    page = leaderboard.render(tmp_path)["README.md"].decode()
    for table, asks, cell in unlike(page):
        said = [explained(found, group) for group in asked(cells, asks)]
        assert all(list(lines(one)) for one in said)
        texts = [shown.text for one in said for shown in one.shown if shown.table == table]
        assert plain(cell.replace("**", "")) in texts, asks
        told[table] += 1
    # 3 pairs of 5 columns at 2 targets, 1 pair of 9, 3 variants of 11
    assert told == {"paired differences": 30, "robustness curves": 9, "beside the paper": 33}
