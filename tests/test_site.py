"""The site of the documentation is built without a warning, and is whole without a network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import robench
from robench.cli import COMMANDS

ROOT = Path(__file__).parents[1]
FETCHED = {"src", "srcset", "poster", "data"}
"""Attributes whose address a browser fetches by itself, whatever the element."""
LINKED = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest"}
"""What a `link` may be to have its address fetched."""


class Page(HTMLParser):
    """What a page fetches by itself, where it leads, and what in it can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = re.findall(r"""(?:@import|url\()\s*['"]?([^'")\s;]+)""", text)
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places.add(given.get("id", ""))
        self.fetched += [value for name, value in given.items() if name in FETCHED]
        if tag == "link" and LINKED & set(given.get("rel", "").split()):
            self.fetched.append(given["href"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    said = ["--quiet", "--fail-on-warning", "--keep-going", "--conf-dir", "docs/making"]
    places = ["--doctree-dir", str(folder / "trees"), ".", str(folder / "site")]
    command = [sys.executable, "-m", "sphinx", *said, *places]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Return all pages, by their files."""
    return {file: Page(file.read_text()) for file in site.rglob("*.html")}


def outside(address: str) -> bool:
    """Tell whether an address names a host."""
    return bool(urlsplit(address).netloc)


def test_nothing_is_fetched_from_a_network(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) > 20
    fetched = {address for page in pages.values() for address in page.fetched}
    assert any("furo.css" in address for address in fetched)
    for sheet in site.rglob("*.css"):
        fetched |= set(Page(sheet.read_text()).fetched)
    assert [address for address in fetched if outside(address)] == []


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://host/a.js"></script>',
        '<link rel="preload stylesheet" href="//host/a.css">',
        '<img src="http://host/a.png">',
        "<style>@import 'https://host/a.css';</style>",
        "@font-face { src: url(https://host/a.woff2) }",
    ],
)
def test_what_is_fetched_from_a_network_would_be_found(text: str) -> None:
    assert [outside(address) for address in Page(text).fetched] == [True]


def test_every_link_within_the_site_leads_somewhere(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            there = (file.parent / unquote(parts.path)).resolve() if parts.path else file.resolve()
            assert there.is_file(), f"{file.name}: {address}"
            if there in pages and parts.fragment:
                assert unquote(parts.fragment) in pages[there].places, f"{file.name}: {address}"


def test_the_site_begins_at_its_top(site: Path) -> None:
    first = (site / "index.html").read_text()
    assert "url=docs/index.html" in first
    assert (site / "docs" / "index.html").is_file()


def test_every_page_of_docs_stands_in_the_side_bar(site: Path) -> None:
    (bar,) = re.findall(
        r'<div class="sidebar-tree">(.*?)</div>',
        (site / "docs" / "limits.html").read_text(),
        re.DOTALL,
    )
    names = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index", "limits"}
    assert names <= set(re.findall(r'href="([a-z-]+)\.html"', bar))


def test_the_reference_has_every_public_name_and_command(site: Path) -> None:
    python, commands = (
        Page((site / "docs" / f"{name}.html").read_text()) for name in ("api", "cli")
    )
    assert {f"robench.{name}" for name in robench.__all__} <= python.places
    assert {"robench", *(f"robench-{name}" for name in COMMANDS)} <= commands.places


def test_formulas_are_set_by_the_browser_itself(site: Path) -> None:
    text = (site / "docs" / "metrics.html").read_text()
    body = text[text.index("<article") : text.index("</article>")]
    fences = (ROOT / "docs" / "metrics.md").read_text().count("```math")
    assert body.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') == fences
    assert fences >= 5
    assert "$" not in body
    assert "\\" not in body
