"""The page in HTML: its numbers, what it may load, and what strange records make of it."""

import base64
import hashlib
import io
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from crowding import crowd
from markup import Element, parsed
from recordings import EPS, Recorder, drawn, finding, match
from robench import archive, leaderboard
from robench.cells import Cell
from robench.errors import UserError
from robench.questions import asked, cells_of
from robench.records import Strength
from robench.samples import Samples, samples_path
from robench.site import rendering, writing
from robench.site.contents import Datum, Page
from robench.site.prose import html
from robench.standings import sections
from suites import small_suite

pytest.importorskip("markdown_it", reason="needs the extra robench[html]")
pytest.importorskip("vl_convert", reason="needs the extra robench[html]")

LEADERBOARD = Path(__file__).parents[1] / "leaderboard"


@pytest.fixture(scope="module")
def published() -> Page:
    """Return the page of the published records."""
    return writing.page(LEADERBOARD)


@pytest.fixture(scope="module")
def page(published: Page) -> bytes:
    """Return the bytes of it."""
    return rendering.render(published)


@pytest.fixture(scope="module")
def matched() -> int:
    """Return how many variants of the published records are matched, at any accuracy."""
    everything = sections(archive.read(LEADERBOARD / "records"))
    standings = [one for section in everything for one in section.standings]
    return sum(len({row.match.variant for row in one.rows}) for one in standings)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a leaderboard of four rows; nothing may write into it."""
    out = tmp_path_factory.mktemp("suite")
    small_suite(out / "records")
    return out


def questions(content: bytes) -> list[tuple[Element, str]]:
    """Return the cells that can be asked for, each with its question to `robench explain`.

    As the page's script reads them: what all of a column or a table shares stands there alone.
    """
    found = []
    for table in parsed(content).all("table"):
        first, *rows = [one for one in table.inner if one.tag == "tr"]
        for row in rows:
            name = row.given.get("data-row") or table.given.get("data-row", "")
            name = name or f"{row.cells[0].text.strip()} {table.given.get('data-at', '')}"
            for head, cell in zip(first.cells, row.cells, strict=True):
                of = f"_{row.given['data-of']}" if "data-of" in row.given else ""
                number = head.given.get("data-n") and head.given["data-n"] + of
                number = cell.given.get("data-n") or number
                if number and cell.text.strip() not in ("", "-"):
                    found.append((cell, f"{name} {number}"))
    return found


def answers(there: Sequence[Cell], question: str) -> set[str]:
    return {" ".join(cell.text.split()) for group in asked(there, question) for cell in group}


def test_every_number_is_the_one_that_explain_finds(page: bytes, matched: int) -> None:
    there = cells_of(archive.read(LEADERBOARD / "records"))
    found = questions(page)
    ranked = [(one, question) for one, question in found if "data-id" in _row(one).given]
    assert len(ranked) == matched * 10  # without the names
    assert len(found) > 2 * len(ranked)
    for one, question in [*ranked, *found[::7]]:
        assert " ".join(one.text.split()) in answers(there, question), question


def _row(cell: Element) -> Element:
    assert cell.within is not None
    return cell.within


def test_every_cell_of_the_tables_of_matched_rows_is_there(page: bytes) -> None:
    # A section in which nothing is matched has its curves on the page of its study.
    there = [
        cell for cell in cells_of(archive.read(LEADERBOARD / "records")) if cell.section.standings
    ]
    shown = {" ".join(one.text.split()) for tag in ("td", "dd") for one in parsed(page).all(tag)}
    missing = {" ".join(cell.text.split()) for cell in there} - shown
    assert missing == set()


def test_the_browser_may_run_the_three_scripts_of_the_page_and_load_nothing(page: bytes) -> None:
    markup = parsed(page)
    (policy,) = [one for one in markup.all("meta") if "http-equiv" in one.given]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.given["content"].split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    scripts = [one.text for one in markup.all("script") if "type" not in one.given]
    assert len(scripts) == 3
    for kind, texts in (("script", scripts), ("style", [one.text for one in markup.all("style")])):
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in texts]
        assert rules[f"{kind}-src"] == " ".join(f"'sha256-{one.decode()}'" for one in hashes)
    for one in markup.elements:
        assert not any(name.startswith("on") or name == "style" for name in one.given), one
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert re.match(r"#|data:|$", one.given.get(name, "")), one


def test_each_row_has_its_verdict_its_audit_and_its_provenance(
    published: Page, matched: int
) -> None:
    rows = [one for board in published.boards for table in board.tables for one in table.rows]
    assert len(rows) == matched
    for row, network in ((one, network) for one in rows for network in one.networks):
        facts = dict(network.facts)
        assert row.verdict in ("pass", "warn", "fail")
        assert {"settings", "matched by", "weights", "trained by", "audit"} <= facts.keys()
        assert facts["match"].startswith("records/matches/")
        assert len(network.checks) > 10
        assert all(one.remedy for one in network.checks if one.verdict in ("warn", "fail"))
        adaptive = sum(one.record.startswith("generator-") for one in network.made)
        assert len(network.made) == 10 + adaptive
        assert sum(int(one.decides) for one in network.made) > 400
        assert [one.name for one in network.attacks.lines][-1] == "envelope"
    assert len({one.id for one in rows}) == matched


def test_strange_records_stay_text(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "records")
    name = "\u202e\"'><img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}}"
    run = recorder.run("evil", {"x": name}, Strength("x", "up"), variant=name)
    recorder.evaluation(run, f"at{name}", drawn(0, 0.2, 50), settings={"a": name})
    recorder.audit(run, [finding(name, "warn", "masking"), finding(name, "fail")])
    recorder.matches([match(run)])
    recorder.study(title=name)
    content = rendering.render(writing.page(tmp_path))
    markup = parsed(content)
    assert len(markup.all("script")) == 4
    assert markup.all("img") == []
    assert "\u202e" not in content.decode()
    shown = "\\u202e" + name[1:]
    assert shown in [one.text for one in markup.all("a")]
    (data,) = [one for one in markup.all("script") if "type" in one.given]
    (one,) = [one for key, one in json.loads(data.text).items() if key.startswith("table")]
    assert [row["name"] for row in one["rows"].values()] == [shown]


def test_a_persons_words_make_no_elements_of_their_own() -> None:
    made = html('*so* <script>alert(1)</script> [x](javascript:alert(1)) ![y](http://z/) "q"')
    assert "<em>so</em> &lt;script&gt;" in made
    assert '!<a href="http://z/">y</a>' in made  # a picture would be fetched, a link is not
    assert not re.search(r"<(?!/?(p|em|a)\b)", made)
    assert "](javascript:alert(1))" in made


def test_a_page_is_written_once_and_known_by_what_it_says(suite: Path, tmp_path: Path) -> None:
    path = writing.write(suite, tmp_path)
    written = path.stat().st_mtime_ns
    assert writing.write(suite, tmp_path).stat().st_mtime_ns == written
    assert writing.stale(suite, tmp_path) == []
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0.70", b"0.71", 1))
    assert writing.stale(suite, tmp_path) == [f"{path} differs from its records"]
    other = replace(writing.page(suite), left_out=3)
    path.write_bytes(rendering.render(other))
    assert writing.stale(suite, tmp_path) == [f"{path} differs from its records"]
    path.unlink()
    assert writing.stale(suite, tmp_path) == [f"{path} is missing"]


def test_report_writes_the_page_and_checks_it(tmp_path: Path) -> None:
    runs, out, folder = tmp_path / "runs", tmp_path / "out", tmp_path / "site"
    small_suite(runs)
    ended = tiny.robench("report", "--runs", runs, "--out", out, "--html", folder)
    assert (ended.code, ended.out.splitlines()[-1]) == (0, str(folder / "index.html"))
    check = ("report", "--out", out, "--html", folder, "--check")
    assert tiny.robench(*check).code == 0
    (out / "records" / "notes.md").write_text("Three words more.")
    leaderboard.write(out)
    ended = tiny.robench(*check)
    assert ended.code == 1
    assert ended.err == f"stale: {folder / 'index.html'} differs from its records\n"


@pytest.mark.parametrize("module", ["vl_convert", "markdown_it"])
def test_without_the_extra_it_says_how_to_install_it(
    module: str, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as Python has it for what cannot be imported
    from robench.site import prose

    prose._parser.cache_clear()
    with pytest.raises(UserError, match=r'run: pip install "robench\[html\]"'):
        writing.write(suite, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_records_tell_how_to_make_some(tmp_path: Path) -> None:
    assert b"robench eval --matched-accuracy 0.70" in rendering.render(writing.page(tmp_path))


def test_pictures_are_the_images_that_were_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "records")
    run = recorder.run("fgm", {"eps": 0.1}, EPS)
    made = recorder.evaluation(run, "cw", drawn(0, 0.2, 50))
    recorder.evaluation(run, "step", drawn(1, 0.2, 50), minimal=False)
    recorder.matches([match(run)])
    image = np.random.default_rng(0).integers(0, 256, (8, 3, 5, 4)).astype(np.float32) / np.float32(
        255
    )
    label = np.arange(8, dtype=np.int16)
    index = np.arange(8, dtype=np.int32)
    kept = Samples(index, label, label, label[::-1].copy(), image, image[::-1].copy())
    kept.save(samples_path(tmp_path / "records" / "evaluations" / f"{made.key}.json"))
    page = writing.page(tmp_path)
    ((gallery,),) = [[table.gallery for table in board.tables] for board in page.boards]
    assert gallery is not None
    assert (gallery.title, [len(row.pictures) for row in gallery.rows]) == ("cw", [6, 6, 6])
    shown = parsed(rendering.render(page)).all("img")
    assert len(shown) == 18
    for place in range(6):
        data = base64.b64decode(shown[place].given["src"].partition(",")[2])
        pixels = np.asarray(Image.open(io.BytesIO(data)))
        assert np.array_equal(pixels, np.rint(image[place] * 255).transpose(1, 2, 0))
    assert asdict(gallery.rows[2].pictures[0])["caption"] == "class 7"


def test_seeds_stand_in_one_row_and_are_networks_of_their_own(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "records")
    runs = [recorder.run(seed=seed) for seed in (0, 3)]
    for run in runs:
        recorder.evaluation(run, "cw", drawn(run.spec.seed, 0.2, 50))
    recorder.matches([match(run) for run in runs])
    (board,) = writing.page(tmp_path).boards
    ((row,),) = [table.rows for table in board.tables]
    assert [one.title for one in row.networks] == [
        "baseline seed 0, matched at 0.70",
        "baseline seed 3, matched at 0.70",
    ]
    assert [one.attacks.lines[0].row for one in row.networks] == [
        "baseline seed 0 0.70",
        "baseline seed 3 0.70",
    ]


def test_what_found_no_match_says_so(suite: Path) -> None:
    rows = writing.page(suite).boards[0].tables[0].rows
    assert [(row.matched, bool(row.why)) for row in rows] == [
        *((True, False), (True, False), (True, True), (False, True))
    ]
    assert rows[-1].why == "not matched: nearest 0.683 (c_l=50), try --set c_l=20"


def test_an_interval_is_told_from_its_value() -> None:
    one = Datum("0.5836 [0.526, 0.645] †")
    assert (one.value, one.interval) == ("0.5836", "[0.526, 0.645] †")
    assert (Datum("c [x").value, Datum("-").value, Datum("-").interval) == ("c", "-", "")


def test_five_hundred_rows_are_a_few_megabytes(published: Page) -> None:
    content = rendering.render(crowd(published, 500))
    rows = [one for one in parsed(content).all("tr") if "data-id" in one.given]
    assert len(rows) == 500
    assert len(content) < 10_000_000
