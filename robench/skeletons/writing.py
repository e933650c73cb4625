"""Write a package of a plugin that works: a module, its entry point, its test, what to do next."""

import keyword
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files as resources
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from robench import files
from robench.errors import UserError
from robench.plugins import Registry

LONGEST = 60
"""Characters of a plugin's name: it stands in the names of files."""


@dataclass(frozen=True)
class Skeleton:
    """A package to be written for a plugin called `name`, `my-defense` say."""

    registry: Registry[Any]
    name: str

    @property
    def module(self) -> str:
        """Return the name of its module: `my_defense`."""
        return self.name.replace("-", "_")

    @property
    def cls(self) -> str:
        """Return the name of its class: `MyDefense`."""
        return "".join(part[:1].upper() + part[1:] for part in self.module.split("_"))

    @cached_property
    def texts(self) -> dict[str, str]:
        """Return the text of each file, by its path in the package."""
        words = self._words(f"{self.module}.py")
        return {
            "pyproject.toml": _filled("pyproject.toml", words),
            f"{self.module}.py": _filled(f"{self.registry.kind}/module.py", words),
            f"tests/test_{self.module}.py": _filled(f"{self.registry.kind}/test.py", words),
            "README.md": _filled("README.md", words),
        }

    def commands(self, folder: Path) -> list[str]:
        """Return what to type next where the package lies in `folder`."""
        path = os.path.normpath(folder / f"{self.module}.py")
        return [f"robench check {path}", *self._words(path)["use"].splitlines()]

    def _words(self, path: str) -> dict[str, str]:
        words = {
            "kind": self.registry.kind,
            "group": self.registry.group,
            "name": self.name,
            "module": self.module,
            "cls": self.cls,
            "title": self.cls,
            "file": path,
        }
        return {**words, "use": _filled(f"{self.registry.kind}/use", words).rstrip()}


def skeleton(registry: Registry[Any], name: str) -> Skeleton:
    """Return the package of a plugin called `name`; UserError for a name that will not do."""
    made, kind = Skeleton(registry, name), registry.kind
    if not _is_name(made):
        raise UserError(
            f"{name!r} does not name a Python module; use lower-case letters, digits and -, "
            f"a letter first, up to {LONGEST} in all: robench new {kind} my-{kind}"
        )
    if name in registry.names() or made.module in registry.names():
        raise UserError(
            f"there is a {kind} {name!r} already; robench ls {kind}s lists them, "
            "choose another name"
        )
    if _taken(made):
        raise UserError(
            f"{made.module!r} or {made.cls!r} is the name of something else already (an installed "
            f"module, or a word of the {kind}'s own text); choose another: my-{name}"
        )
    return made


def write(made: Skeleton, out: Path) -> Path:
    """Write the package into the folder of its name under `out`; return the folder.

    Raises UserError where that folder holds anything: nothing is overwritten.
    """
    folder = out / made.name
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(
            f"{folder} is there already and is not an empty folder; nothing was written. Move it "
            "away, or say another NAME or --out"
        )
    for path, text in made.texts.items():
        files.write(folder / path, text)
    return folder


def _is_name(made: Skeleton) -> bool:
    words = (made.module, made.cls)
    plain = re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", made.name)
    return bool(plain) and len(made.name) <= LONGEST and not any(map(keyword.iskeyword, words))


def _taken(made: Skeleton) -> bool:
    """Tell whether the module would hide another, or the class what the module imports."""
    if made.module in sys.stdlib_module_names:
        return True
    spec = find_spec(made.module)
    if spec is not None and spec.origin is not None:  # a mere folder of the name hides nothing
        return True
    kind = made.registry.kind
    texts = (_text(f"{kind}/module.py"), _text(f"{kind}/test.py"))
    return any(re.search(rf"(?<!\$)\b{made.cls}\b", text) for text in texts)


def _filled(name: str, words: Mapping[str, str]) -> str:
    return Template(_text(name)).substitute(words)


def _text(name: str) -> str:
    return resources("robench.skeletons").joinpath(f"{name}.txt").read_text("utf-8")
