"""The page in HTML as a browser shows it, from disk: sorted, filtered, read out, by keyboard."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import chart, column, names
from recordings import EPS, Recorder, drawn, match
from robench.records import Strength
from robench.site import writing
from suites import small_suite

pytest.importorskip("markdown_it", reason="needs the extra robench[html]")
pytest.importorskip("vl_convert", reason="needs the extra robench[html]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the group browser")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for path in map(shutil.which, BROWSERS) if path), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")
Open = Callable[..., Any]
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where a page of four rows and of robustness curves lies on the disk."""
    out = tmp_path_factory.mktemp("suite")
    small_suite(out / "records")
    recorder = Recorder(out / "records")
    for place, eps in enumerate((0.2, 0.4)):
        run = recorder.run("fgm", {"eps": eps}, Strength("eps", "up"))
        recorder.evaluation(run, "cw", drawn(place + 5, 0.3 + place / 5))
    return writing.write(out, out / "site").as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return the browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Open]:
    """Return what opens the page; nothing may be fetched beside it, nor be complained of."""
    said: list[str] = []
    asked: list[str] = []
    contexts: list[Any] = []

    def opened(fragment: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert asked
    assert {one.partition("#")[0] for one in asked} == {address}


def test_heads_sort_and_say_so(visit: Open) -> None:
    page = visit()
    assert names(page) == ["fgm", "baseline", "pgd", "pgn"]
    head = page.locator(".ranking th", has_text="rho_correct, envelope")
    head.locator("button").click()
    shown = column(page, "rho_correct")
    values = [float(text.split()[0]) for text in shown[:-1]]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 3
    assert shown[-1] == "-"
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").click()
    assert column(page, "rho_correct") == [*reversed(shown[:-1]), "-"]
    assert head.get_attribute("aria-sort") == "ascending"
    page.locator(".ranking th", has_text="defense").locator("button").press("Enter")
    assert names(page) == ["baseline", "fgm", "pgd", "pgn"]
    assert page.locator("[aria-sort]").count() == 1


def test_the_bar_filters(visit: Open) -> None:
    page = visit()
    assert page.locator("#count").inner_text() == "4 of 4 rows"
    page.fill("#find", "PG")
    assert names(page) == ["pgd", "pgn"]
    assert page.locator("#count").inner_text() == "2 of 4 rows"
    page.fill("#find", "")
    page.check("#ranked")
    assert names(page) == ["fgm", "baseline"]
    page.select_option("#verdict", "warn")
    assert names(page) == ["fgm"]
    page.fill("#find", "nothing is called so")
    assert page.locator(".empty").inner_text() == "No row passes the filters."
    page.fill("#find", "")
    page.select_option("#verdict", "")
    page.uncheck("#ranked")
    page.select_option("#at", "0.70")
    assert len(names(page)) == 4


def test_a_point_of_the_robustness_curve_tells_run_settings_and_interval(visit: Open) -> None:
    page = visit()
    marks = chart(page, "robustness").locator("path[aria-label*='eps=0.4']")
    marks.first.hover()
    tip = page.locator("#tip").inner_text()
    assert "eps=0.4" in tip
    assert "digits-fgm-" in tip
    assert re.search(r"rho\s+0\.\d{4} \[0\.\d{3}, 0\.\d{3}\]", tip)
    page.mouse.move(1, 1)
    assert page.locator("#tip").is_hidden()
    marks.first.focus()
    spoken = page.locator(".spoken").inner_text()
    assert spoken.startswith("fgm, eps=0.4: benign accuracy 0.9000 [")


def test_curves_are_read_out_at_a_norm(visit: Open) -> None:
    page = visit()
    holder = chart(page, "norms")
    readout = page.locator(".readout tbody tr")
    readout.first.wait_for()
    slide = page.locator("[data-norm]").first
    slide.focus()
    for _ in range(30):
        slide.press("ArrowLeft")
    assert page.locator(".slide output").first.inner_text() == "0.000"
    # At norm 0 nothing is lost but what was misclassified: one image in ten of 200.
    texts = readout.all_inner_texts()
    assert len(texts) == 3
    assert all("0.9000 [0.851, 0.934]" in text.replace("\n", " ") for text in texts)
    assert all("digits-" in text and "matched" not in text for text in texts)
    holder.hover()
    assert float(page.locator(".slide output").first.inner_text()) > 0
    assert all("0.9000" not in text for text in readout.all_inner_texts())
    page.select_option("[data-panel]", label="deepfool")
    page.wait_for_function("() => document.querySelector('.chart[aria-label*=deepfool]')")


def test_two_rows_stand_side_by_side(visit: Open) -> None:
    page = visit()
    boxes = page.locator(".ranking input[type=checkbox]")
    boxes.nth(0).check()
    assert page.locator("[data-compare]").is_disabled()
    boxes.nth(1).check()
    page.locator("[data-compare]").click()
    panel = page.locator("#panel")
    text = panel.inner_text()
    assert "fgm and baseline, matched at benign accuracy 0.70" in text
    page.locator("details.pairs > summary").evaluate("one => one.click()")
    difference = page.locator(".standing table.pairs tbody tr").first
    assert difference.text_content().split()[3] in text
    sides = panel.locator(".sides tr", has_text="rho_correct, envelope")
    assert re.findall(r"\d\.\d{4}", sides.inner_text()) == [
        text.split()[0] for text in column(page, "rho_correct, envelope")[:2]
    ]
    panel.locator("svg").wait_for()
    assert panel.locator(".sides tr", has_text="cw: median L2").count() == 1
    page.keyboard.press("Escape")
    assert panel.is_hidden()
    boxes.nth(2).check()
    assert [boxes.nth(at).is_checked() for at in range(4)] == [False, True, True, False]


def test_a_number_tells_its_question(visit: Open) -> None:
    page = visit()
    page.locator(".ranking tbody td[data-n='rho_correct_envelope']").first.click()
    box = page.locator("#ask")
    assert "robench explain 'fgm 0.70 rho_correct_envelope'" in box.inner_text()
    assert "nearest error" in box.inner_text()
    page.keyboard.press("Escape")
    assert box.is_hidden()


def test_the_keyboard_reaches_everything(visit: Open) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    cell = page.locator(".ranking tbody td[tabindex='0']")
    assert cell.count() == 1
    cell.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    question = "robench explain 'baseline 0.70 seeds'"
    page.keyboard.press("Enter")
    assert question in page.locator("#ask").inner_text()
    page.keyboard.press("Escape")
    link = page.locator(".ranking tbody th a").nth(1)
    link.focus()
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    panel.wait_for()
    assert "baseline, matched at benign accuracy 0.70" in panel.inner_text()
    page.keyboard.press("Escape")
    assert panel.is_hidden()
    page.wait_for_function("location.hash === ''")
    box = page.locator(".ranking input").first
    box.focus()
    page.keyboard.press("Space")
    assert box.is_checked()


def test_a_link_to_a_row_opens_it(visit: Open) -> None:
    fragment = visit().locator(".ranking tbody th a").nth(2).get_attribute("href")
    panel = visit(fragment).locator("#panel")
    assert "pgd, matched at benign accuracy 0.70" in panel.inner_text()
    assert "Not ranked:" in panel.inner_text()


def test_dark_follows_the_system_and_can_be_chosen(visit: Open) -> None:
    shade = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit(color_scheme="light"), visit(color_scheme="dark")
    assert sum(map(int, re.findall(r"\d+", light.evaluate(shade)))) > 700
    assert sum(map(int, re.findall(r"\d+", dark.evaluate(shade)))) < 70
    chart(light, "ranking")
    before = light.locator("[data-chart=ranking] svg").inner_html()
    light.select_option("#theme", "dark")
    assert light.evaluate(shade) == dark.evaluate(shade)
    light.wait_for_function(
        "before => { const svg = document.querySelector('[data-chart=ranking] svg');"
        " return svg && svg.innerHTML !== before; }",
        arg=before,
    )
    light.reload()
    assert light.evaluate(shade) == dark.evaluate(shade)


def test_with_scripts_blocked_it_is_plain_tables_with_everything_in_them(visit: Open) -> None:
    page, other = visit(java_script_enabled=False), visit()
    assert names(page) == names(other)
    shown = page.locator(".ranking tbody tr").all_inner_texts()
    assert all(text.split() for text in shown)
    assert column(page, "rho_correct") == column(other, "rho_correct")
    assert page.locator(".script:visible").count() == 0
    page.locator("details.rows > summary").click()
    page.locator("details.row > summary").first.click()
    inside = page.locator("details.row").first.inner_text()
    assert "Provenance" in inside
    assert "robench train --defense fgm" in inside
    assert "Audit" in inside


@pytest.mark.parametrize("scripts", [True, False])
def test_a_phone_need_not_scroll_sideways(visit: Open, scripts: bool) -> None:
    page = visit(viewport={"width": 390, "height": 844}, java_script_enabled=scripts)
    box = page.locator("main").bounding_box()
    assert box["x"] + box["width"] <= 390
    if scripts:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        row = page.locator(".ranking tbody tr").first.bounding_box()
        assert row["x"] >= 0
        assert row["x"] + row["width"] <= 390
        page.locator(".sorter select").select_option(label="defense")
        assert names(page)[0] == "baseline"


def test_strange_names_run_nothing(chromium: Any, tmp_path: Path) -> None:
    name = (
        "<img src=x onerror=\"document.title='ran'\"></script><script>document.title='ran'</script>"
    )
    recorder = Recorder(tmp_path / "records")
    for place in range(2):
        run = recorder.run("evil", {"eps": 0.1 + place}, EPS, variant=f"{name}{place}")
        recorder.evaluation(run, "cw", drawn(place, 0.2, 50))
        recorder.matches([match(run)])
    page = chromium.new_page()
    page.goto(writing.write(tmp_path, tmp_path).as_uri())
    chart(page, "robustness").locator("path[aria-label]").first.hover()
    assert "<img src=x" in page.locator("#tip").inner_text()
    page.locator(".ranking tbody th a").first.click()
    assert page.title() == "Leaderboard - robench"
    assert page.locator("img").count() == 0
    page.close()
