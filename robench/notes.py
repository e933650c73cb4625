"""A person's words on a leaderboard, with the numbers in them taken from its records.

`{{QUESTION}}` stands for the number that `robench explain "QUESTION"` finds, as its table shows it;
`{{?QUESTION}}` for nothing, and names a record that the sentence rests on.
"""

import re
from collections.abc import Callable, Sequence

from robench.cells import Cell
from robench.errors import UserError
from robench.markdown import details, escape
from robench.questions import asked
from robench.section_text import title
from robench.tables import target

_SLOT = re.compile(r"\{\{(\??)([^{}]*)\}\}")
_ITEM = re.compile(r"^(\d+)\. ", re.MULTILINE)
RESTS_ON = "What each sentence rests on: questions to robench explain"


def filled(text: str, cells: Callable[[], Sequence[Cell]]) -> str:
    """Return `text` with the numbers in it, and a list of where those of each sentence come from.

    `cells`: of all tables; asked for only where there is a number to fill in. The list follows the
    last item of the numbered list that `text` holds. Raises UserError for a question that finds no
    number, or several.
    """
    shown, rests = numbered(text, cells), sources(text)
    return "\n\n".join([shown.rstrip(), details(RESTS_ON, rests)]) if rests else shown


def numbered(text: str, cells: Callable[[], Sequence[Cell]]) -> str:
    """Return `text` with the numbers in it; see `filled`."""
    slots = list(_SLOT.finditer(text))
    if not slots:
        return text
    there = cells()
    numbers = {slot[2]: _number(there, slot[2].strip()) for slot in slots}
    return _SLOT.sub(lambda slot: "" if slot[1] else escape(numbers[slot[2]]), text)


def sources(text: str) -> str:
    """Return what each sentence of `text` asks for, as a list in Markdown; empty for nothing."""
    rests = (
        f"- {number}: " + ", ".join(f"`{one}`" for one in own) for number, own in questions(text)
    )
    return "\n".join(rests)


def questions(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """Return the numbers of the items of numbered lists, each with what its item asks for."""
    items = _ITEM.split(text)[1:]
    found = []
    for number, words in zip(items[::2], items[1::2], strict=True):
        slots = _SLOT.finditer(words.partition("\n\n")[0])
        found.append((int(number), tuple(dict.fromkeys(slot[2].strip() for slot in slots))))
    return [(number, own) for number, own in found if own]


def _number(there: Sequence[Cell], question: str) -> str:
    """Return the one number that a question finds, as its first table shows it."""
    try:
        groups = asked(there, question)
    except UserError as error:
        raise UserError(f"notes.md asks for {question!r}: {error}") from None
    if len(groups) > 1:
        rows = ", ".join(_where(group[0]) for group in groups)
        raise UserError(
            f"notes.md asks for {question!r}, which {len(groups)} rows have: {rows}; "
            "say the row and the benign accuracy as the table does"
        )
    return groups[0][0].text


def _where(cell: Cell) -> str:
    """Return the row of a cell and what tells its table from others."""
    at = title(cell.section) if cell.target is None else target(cell.target)
    return f"{cell.row} {at}"
