"""What a stranger's files may hold: hostile values, and valid files with something wrong in them.

`ROBENCH_FUZZ=N` multiplies the number of examples and draws new ones; see CONTRIBUTING.md.
"""

import json
import os
import pickle
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from robench.errors import UserError

T = TypeVar("T")
TIMES = int(os.environ.get("ROBENCH_FUZZ", "1"))
"""How many times the examples of a plain run of the tests."""
LONGEST = 20_000
"""Characters that an error may have: it is one line."""
counted: dict[str, int] = {}
"""Examples that ran, by subject."""

WORDS = (
    *("", " ", ".", "..", "../../outside", "/etc/hostname", "a/b", "a\\b", "a\0b", "~", "-", "--"),
    *(
        "<script>alert(1)</script>",
        "&lt;",
        "a|b",
        "`x`",
        "```",
        "$x$",
        "$\\frac",
        "*a*",
        "_",
        "__a",
    ),
    *(
        "[a](javascript:b)",
        "![a](http://a.b/c)",
        "https://a.b",
        "www.a.b",
        "# a",
        "\n# a\n",
        "a\r\nb",
    ),
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\u202eevil", "\u2066a\u2069", "\u200b", "\ufeff"),
    *(
        "\ud800",
        "\udcff",
        "\x7f",
        "\x9b1m",
        "é",
        "\U0001d518",
        "a" * 300,
        "9" * 5000,
        "nan",
        "inf",
        "1e999",
    ),
    *("true", "None", "{}", "%s", "{0}", "os:system", "robench:UserError", "x.py:X", "__class__"),
)
"""Texts that some reader or some output might stumble over."""
words = st.sampled_from(WORDS) | st.text(max_size=12)
numbers = st.sampled_from(
    [
        *(0, -1, 1, 2, 7, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400),
        *(0.0, -0.0, 0.5, -1.5, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    ]
)
scalars = st.none() | st.booleans() | numbers | words
values = scalars | st.sampled_from(
    [[], {}, [[]], [1, "a"], [None], {"a": 1}, {"": None}, {"a": [{}]}]
)
"""What JSON and YAML may say in place of something else."""


def cases(number: int) -> settings:
    """Return how a test runs: so many examples, the same ones each time unless more are asked."""
    return settings(
        max_examples=number * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def ends(subject: str, call: Callable[[], T]) -> T | None:
    """Return what `call` returns, or None where it ends in an error of one line to the user."""
    counted[subject] = counted.get(subject, 0) + 1
    try:
        return call()
    except UserError as error:
        said = str(error)
    assert len(said) < LONGEST, f"{len(said)} characters: {said[:200]}"
    return None


def trap(place: Path) -> bytes:
    """Return a pickle that makes the folder `place` when it is loaded."""
    return pickle.dumps(_Trap(place), protocol=2)


class _Trap:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.place),))


def places(content: object, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside `content`, through mappings and lists."""
    pairs: Any = ()
    if isinstance(content, dict):
        pairs = content.items()
    elif isinstance(content, list):
        pairs = enumerate(content)
    for key, value in pairs:
        yield (*here, key)
        yield from places(value, (*here, key))


def changed(content: Any, way: tuple[Any, ...], value: object) -> Any:
    """Return `content` with another value at the end of `way`."""
    whole = deepcopy(content)
    inner = whole
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return whole


def without(content: Any, way: tuple[Any, ...]) -> Any:
    """Return `content` without what lies at the end of `way`."""
    whole = deepcopy(content)
    inner = whole
    for key in way[:-1]:
        inner = inner[key]
    del inner[way[-1]]
    return whole


@st.composite
def mutated(draw: st.DrawFn, content: Any) -> Any:
    """Draw a structure with one to three values changed, taken away or added."""
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(sorted(places(content), key=repr) or [()]))
        if not way:
            return draw(values)
        how = draw(st.sampled_from(["change", "change", "change", "drop", "add"]))
        if how == "drop":
            content = without(content, way)
        elif how == "add" and not isinstance(way[-1], int):
            content = changed(content, (*way[:-1], draw(words)), draw(values))
        else:
            content = changed(content, way, draw(values))
    return content


def as_json(content: object) -> bytes:
    """Return JSON as a careless writer writes it: NaN, lone surrogates and all."""
    return json.dumps(content, indent=1).encode()


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw bytes like `content`: truncated, with some bytes changed, put in or taken out."""
    how = draw(st.sampled_from(["cut", "flip", "insert", "remove", "replace", "double"]))
    at = draw(st.integers(0, max(len(content) - 1, 0)))
    more = draw(st.binary(max_size=20))
    if how == "cut":
        return content[:at]
    if how == "flip":
        turned = bytearray(content)
        for offset, bits in enumerate(more[: len(content) - at]):
            turned[at + offset] ^= bits
        return bytes(turned)
    if how == "insert":
        return content[:at] + more + content[at:]
    if how == "remove":
        return content[:at] + content[at + len(more) :]
    return more if how == "replace" else content + content


DEEP = 100_000
BOMBS: tuple[bytes, ...] = (
    b"[" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b'{"format": ' + b"9" * 1_000_000 + b"}",
    b'{"format": 1, "rows": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    b'{"format": 1e999}',
    b'{"format": true}',
    b"\xff\xfe{}",
    b'{"format": 1, "spec": "\\ud800"}',
    b"\0" * 100,
    b"",
)
"""JSON that costs its reader more than it says."""
