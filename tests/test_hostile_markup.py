"""What plugins call themselves and their settings, on pages, in figures and on a terminal."""

import html
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from hostile import WORDS, cases, counted, words
from recordings import Recorder, drawn, match
from robench import drawing, leaderboard
from robench.contents import AccuracyNorm, Gallery, Line, Panel, Picture, PictureRow
from robench.errors import UserError
from robench.markdown import block, details, escape, table
from robench.visible import visible

SPECIAL = set("\\`*[]|~$#<>")
texts = words | st.text() | st.lists(words, max_size=4).map("".join)
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def bare(markdown: str) -> str:
    """Return Markdown without what is escaped in it."""
    return re.sub(r"\\.", "", markdown)


def harmless(text: str) -> None:
    """Check that a terminal shows every character of `text`."""
    assert not BIDI.search(text)
    assert all(c.isprintable() or c in "\n\N{NO-BREAK SPACE}" for c in text)


@cases(400)
@given(text=texts)
def test_escaped_text_is_shown_letter_by_letter(text: str) -> None:
    counted["escape"] = counted.get("escape", 0) + 1
    escaped = escape(text)
    assert not SPECIAL & set(bare(escaped))
    assert not re.search(r"://|www\.", bare(escaped), re.IGNORECASE)
    assert re.sub(r"&(amp|lt|gt);", "", escaped).count("&") == 0
    assert html.unescape(re.sub(r"\\(.)", r"\1", escaped)) == "".join(
        c for c in " ".join(text.split()) if c.isprintable()
    )
    escaped.encode()


@cases(150)
@given(cells=st.lists(texts, min_size=1, max_size=4))
def test_no_cell_makes_another(cells: list[str]) -> None:
    counted["table"] = counted.get("table", 0) + 1
    lines = table(["x"] * len(cells), [[escape(cell) for cell in cells]]).split("\n")
    assert len(lines) == 3
    assert all(bare(line).count("|") == len(cells) + 1 for line in lines)


@cases(150)
@given(summary=texts)
def test_no_summary_opens_or_ends_anything(summary: str) -> None:
    counted["details"] = counted.get("details", 0) + 1
    head, *rest = details(summary, "body").split("\n")
    assert rest == ["", "body", "", "</details>"]
    shown = head.removeprefix("<details><summary>").removesuffix("</summary>")
    assert not SPECIAL.difference("#") & set(shown)  # a # is part of an entity
    assert html.unescape(shown) == "".join(c for c in " ".join(summary.split()) if c.isprintable())


@cases(150)
@given(commands=st.lists(texts, max_size=4))
def test_no_command_ends_its_block(commands: list[str]) -> None:
    counted["block"] = counted.get("block", 0) + 1
    first, *inside, last = block(commands).split("\n")
    assert len(inside) == len(commands)
    assert first == f"{last}sh"
    assert not any(line.strip().startswith(last) for line in inside)
    harmless("\n".join(inside))


@cases(200)
@given(text=texts)
def test_a_terminal_obeys_nothing(text: str) -> None:
    counted["terminal"] = counted.get("terminal", 0) + 1
    harmless(visible(text))
    visible(text).encode()


@pytest.mark.parametrize("word", ["\x1b[2J", "\u202eevil", "\x9b1m", "a\rb", "\x07"])
def test_errors_and_lines_on_a_terminal(word: str, tmp_path: Path) -> None:
    for words_ in (
        ["train", "--defense", word],
        ["verify", word, "--runs", tmp_path],
        ["eval", "--matched-accuracy", "0.7", "--attack", word, "--runs", tmp_path],
        ["report", "--runs", tmp_path / word, "--out", tmp_path / f"out{word}"],
    ):
        ended = tiny.robench(*words_)
        harmless(ended.out + ended.err)
        assert ended.err.count("\n") <= 1


def test_a_plugins_own_words_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from robench.cli.printing import say

    say("\x1b]0;owned\x07", err=True)
    say("two\nlines \u202e")
    said = capsys.readouterr()
    assert said.err == "\\x1b]0;owned\\x07\n"
    assert said.out == "two\nlines \\u202e\n"


@cases(12)
@given(variant=texts, advice=texts, setting=texts, command=texts)
def test_pages_of_strange_records(
    tmp_path_factory: pytest.TempPathFactory, variant: str, advice: str, setting: str, command: str
) -> None:
    counted["pages"] = counted.get("pages", 0) + 1
    root = tmp_path_factory.mktemp("runs")
    recorder = Recorder(root, environment={"device": variant, "torch": setting})
    run = recorder.run("fgm", {"eps": 0.1, setting: variant}, variant=variant)
    recorder.evaluation(run, variant, drawn(0, 0.5, 8), settings={setting: advice, "a": command})
    recorder.matches([match(run, advice=advice)])
    try:
        leaderboard.publish(root, root / "out")
        leaderboard.stale(root / "out")
        found = leaderboard._plan(root / "out" / "records")[0][leaderboard.README].decode()
    except UserError:
        assert any(c in variant + advice + setting + command for c in "\ud800\udcff")
        return
    text = re.sub(r"```.*?```", "", found, flags=re.DOTALL)
    assert "<script" not in text
    assert "](javascript" not in bare(text)
    harmless(text)
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert rows
    for line in rows:
        assert bare(line).endswith("|")


def content(text: str) -> tuple[AccuracyNorm, Gallery]:
    """Return figures with `text` wherever text may stand."""
    line = Line(text, 0, (1.0, 0.0), (1.0, 0.0), (1.0, 0.0))
    picture = Picture("AAAA" * 16, text, wrong=True)
    gallery = Gallery(text, (4, 4, 3), (PictureRow(text, (picture,)),))
    return AccuracyNorm(text, (Panel(text, (0.0, 1.0), (line,)),)), gallery


@pytest.mark.filterwarnings("ignore:.*Glyph.*:UserWarning")
@cases(8)
@given(text=st.sampled_from([word for word in WORDS if len(word) < 400]) | st.text(max_size=60))
def test_figures_of_strange_names(text: str) -> None:
    counted["figures"] = counted.get("figures", 0) + 1
    for one in content(text):
        svg = drawing.render(one, "stamp", "svg")
        root = ElementTree.fromstring(svg)
        kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not kinds & {"script", "a", "foreignObject"}
