"""The pages in docs/ lead to each other and show what there is."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest
import yaml

from robench.cli import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("*.md")])
every = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def test_the_contents_name_every_page_once() -> None:
    lists = re.findall(r"^- \[[^]]+\]\(([^)]+)\): ", (DOCS / "index.md").read_text(), re.MULTILINE)
    assert len(lists) == len(set(lists))
    inside = {name for name in lists if "/" not in name}
    missing = {page.name for page in DOCS.glob("*.md")} - {"index.md"} - inside
    assert not missing, "a page in docs/ wants its line in docs/index.md"
    assert all((DOCS / name).is_file() for name in lists)


def shown(text: str) -> Iterator[list[str]]:
    """Yield the words of every call of robench in the shell blocks of a page."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["robench"]:
                yield list(takewhile(lambda word: word not in ("|", ">", ">>"), words[1:]))


def options_of(words: list[str]) -> tuple[set[str], set[str]]:
    """Return the options that a call gives, and those that its command has."""
    context, rest = click.Context(cli), list(words)
    while isinstance(context.command, click.Group):
        assert rest, f"robench {' '.join(words)}: no command"
        command = context.command.get_command(context, rest.pop(0))
        assert command, f"robench {' '.join(words)}: no such command"
        context = click.Context(command, parent=context)
    known = {
        name
        for one in context.command.get_params(context)
        for name in (*one.opts, *one.secondary_opts)
    }
    return {word.partition("=")[0] for word in rest if re.match("--?[a-z]", word)}, known


@every
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    for words in shown(page.read_text()):
        given, known = options_of(words)
        assert given <= known, f"robench {' '.join(words)}"


def test_a_command_that_does_not_exist_would_be_found() -> None:
    (words,) = shown("```sh\nls\nrobench train --defense pgd \\\n  --epoch 3  # --seed 1\n```\n")
    given, known = options_of(words)
    assert given - known == {"--epoch"}
    with pytest.raises(AssertionError, match="no such command"):
        options_of(["trian"])


@every
def test_formulas_read_in_the_repository_too(page: Path) -> None:
    """GitHub's Markdown takes a backslash before a sign away, within a line, and has no macros."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for formula in re.findall(r"\$([^$]+)\$", text):
        assert not re.search(r"\\[^A-Za-z]", formula), formula
    assert r"\operatorname" not in page.read_text()


def test_the_picture_is_what_its_program_draws() -> None:
    command = [sys.executable, str(DOCS / "making" / "data_flow.py")]
    drawn = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert drawn == (DOCS / "figures" / "data-flow.svg").read_text()


def test_the_citation_is_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    for key in ("version", "license"):
        assert citation[key] == project[key]
    assert citation["title"] == project["name"]
    assert citation["abstract"] == f"{project['description']}."
    assert {"cff-version", "message", "authors"} <= set(citation)  # what the format demands
    (paper,) = citation["references"]
    assert f"title  = {{{paper['title']}}}" in (DOCS / "citing.md").read_text()
