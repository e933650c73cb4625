"""Markdown that a code host renders as meant, whatever the text put into it."""

import re
from collections.abc import Iterable, Sequence

from robench.visible import visible

ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
SPECIAL = re.compile(
    r"[\\`*\[\]|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|:(?=//)|(?<=[wW]{3})\."  # a code host makes links of http://x and www.x
)
ESCAPED = re.compile(r"\\([\\`*\[\]|~$#_:.])")


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it letter by letter, on one line."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(letter for letter in line if letter.isprintable())
    for letter, entity in ENTITIES.items():  # & first, as the others' entities begin with it
        line = line.replace(letter, entity)
    return SPECIAL.sub(lambda found: "\\" + found.group(), line)


def plain(cell: str) -> str:
    """Return what a cell of escaped text shows: `escape` undone, with spaces that may break."""
    text = ESCAPED.sub(lambda found: found.group(1), cell.replace("\N{NO-BREAK SPACE}", " "))
    for letter, entity in reversed(ENTITIES.items()):  # & last, as its entity is in no other
        text = text.replace(entity, letter)
    return text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def embed(caption: str, path: str) -> str:
    """Return a picture; `path` is one that robench made, `caption` any text."""
    return f"![{escape(caption)}]({path})"


def details(summary: str, body: str) -> str:
    """Return what a click on `summary`, any text, unfolds; `body` is Markdown.

    A summary is HTML: what Markdown escapes by a backslash stands in it as an entity.
    """
    shown = ESCAPED.sub(lambda found: f"&#{ord(found.group(1))};", escape(summary))
    return f"<details><summary>{shown}</summary>\n\n{body}\n\n</details>"


def block(lines: Iterable[str]) -> str:
    """Return a fenced block of shell commands, fenced longer than any run of ticks in it."""
    commands = [visible(" ".join(line.split())) for line in lines]
    longest = max((len(run) for line in commands for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}sh", *commands, fence])
