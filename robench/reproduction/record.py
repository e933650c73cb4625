"""What a reproduction was made of: which evaluation stands where, so that records alone draw it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robench.conformance import from_json
from robench.containment import contained
from robench.errors import UserError
from robench.records import Match, Setting
from robench.reproduction.recipe import Kind, Recipe
from robench.runs import read_json, write_json

REPRODUCTIONS = "reproductions"
"""Folder, under the runs or a leaderboard's records, of the files that `write` makes."""


@dataclass(frozen=True)
class Cell:
    """One checkpoint under one attack, and its place in the drawing."""

    run: str
    step: int
    label: str
    """What the line, row or curve is called."""
    target: float | None
    """The benign accuracy it was matched at; None: not matched."""
    track: str
    """The attack, with what tells it from its namesakes here."""
    setting: str
    """What was varied along the track, as `eps=0.5`."""
    evaluation: str
    """Key of the white-box evaluation."""
    black_box: str | None
    """Key of the black-box evaluation, where there is one."""


@dataclass(frozen=True)
class Shown:
    """One drawing or table, filled."""

    show: Kind
    title: str
    cells: tuple[Cell, ...]
    unmatched: tuple[Match, ...]
    """The defenses that reached no match, per accuracy."""
    published: bool
    pictures: int


@dataclass(frozen=True)
class Reproduction:
    """One recipe, carried out."""

    recipe: str
    title: str
    section: str
    claim: str
    note: str
    dataset: str
    classes: tuple[str, ...]
    """Names of the data set's classes."""
    scale: str
    values: Mapping[str, Any]
    """The values of the scale that were used."""
    published: str
    """Whose published results stand beside ours: cifar10, cifar100, or none."""
    shown: tuple[Shown, ...]
    failures: tuple[str, ...]
    """What could not be trained, a line each."""
    environment: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return the name of its record and page; the same recipe may be had at several scales."""
        data = "".join(c if c.isalnum() else "-" for c in self.dataset.partition("@")[0])
        return f"{self.recipe}-{data}-{self.scale}"


def described(
    recipe: Recipe,
    scale: str,
    values: Mapping[str, Setting | tuple[Setting, ...] | None],
    **rest: Any,
) -> Reproduction:
    """Return the record of a recipe carried out at a scale."""
    own = {key: getattr(recipe, key) for key in ("title", "section", "claim", "note")}
    return Reproduction(recipe=recipe.name, scale=scale, values=dict(values), **own, **rest)


def write(root: Path, made: Reproduction) -> Path:
    """Store a reproduction under `root` and return the file."""
    path = root / REPRODUCTIONS / f"{made.name}.json"
    write_json(path, asdict(made))
    return path


def read_all(root: Path) -> tuple[Reproduction, ...]:
    """Read every reproduction under `root`; UserError names a file that cannot be read."""
    found = sorted((root / REPRODUCTIONS).glob("*.json"))
    return tuple(_read(contained(root, path)) for path in found)


def _read(path: Path) -> Reproduction:
    content = read_json(path)
    del content["format"]
    try:
        content["shown"] = tuple(_shown(row) for row in content["shown"])
        for name in ("classes", "failures"):
            content[name] = tuple(content[name])
        made = from_json(Reproduction, content)
    except (KeyError, TypeError, UserError) as error:
        raise UserError(
            f"{path} is damaged ({error}); delete it and run `robench reproduce` again"
        ) from None
    if made.name != path.stem:
        raise UserError(f"{path} describes the reproduction {made.name}; delete it")
    return made


def _shown(row: dict[str, Any]) -> Shown:
    cells = tuple(from_json(Cell, cell) for cell in row["cells"])
    unmatched = tuple(from_json(Match, match) for match in row["unmatched"])
    return from_json(Shown, {**row, "cells": cells, "unmatched": unmatched})
