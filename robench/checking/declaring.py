"""Is what a plugin declares told to whoever uses it?"""

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Protocol

from robench.audit.check import Reading
from robench.checking.check import check, failed, passed
from robench.settings import declared


class Declared(Protocol):
    """A case that is about a plugin class."""

    @property
    def cls(self) -> type:
        """Return the class."""


@check(
    wants="a docstring for the class and under each setting",
    remedy="say in a string under each field what it is, in which unit and range; `robench ls` "
    "shows the class's first line",
)
def settings(case: Declared) -> Reading:
    """Are the class and each of its settings explained?"""
    cls = case.cls
    generated = f"{cls.__name__}("  # what @dataclass writes where there is no docstring
    said = (cls.__doc__ or "").strip()
    silent = [] if said and not said.startswith(generated) else ["the class"]
    silent += _unexplained(cls)
    if silent:
        return failed(f"no docstring: {', '.join(silent)}")
    names = ", ".join(field.name for field in declared(cls))
    return passed(names or "there are none")


def _unexplained(cls: type) -> list[str]:
    """Return the settings of the class body that no string follows; inherited ones are others'."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return []  # no source to be read: nothing can be said
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    names = {field.name for field in declared(cls)}
    explained = {
        one.target.id
        for one, after in pairwise(body)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and _text(after)
    }
    own = [
        one.target.id
        for one in body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    return [name for name in own if name in names and name not in explained]


def _text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
