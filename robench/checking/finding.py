"""Which plugin is meant, of which kind, and what it is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robench.checking import attacks, datasets, defenses, models
from robench.checking.check import Check, Found
from robench.checking.victim import AttackCase
from robench.errors import UserError
from robench.plugins import ATTACKS, DATASETS, DEFENSES, MODELS, OtherKind, Plugin
from robench.records import Setting
from robench.spelling import suggestion

REGISTRIES = {one.kind: one for one in (DEFENSES, ATTACKS, DATASETS, MODELS)}


@dataclass(frozen=True)
class Asked:
    """A plugin of one kind, with settings other than its defaults."""

    kind: str
    plugin: Plugin[Any]
    given: Mapping[str, Setting]


def asked(name: str, kind: str | None, given: Mapping[str, Setting]) -> Asked:
    """Return the plugin called `name`, of whichever kind it is.

    `kind`: defense, attack, dataset or model; None: the one kind that has it. Raises UserError
    where no kind has it, or several have.
    """
    registries = [REGISTRIES[kind]] if kind else list(REGISTRIES.values())
    found, missing = [], []
    for registry in registries:
        try:
            found.append(Asked(registry.kind, registry.get(name), given))
        except OtherKind as error:
            missing.append(str(error))
    if len(found) == 1:
        return found[0]
    if found:
        kinds = " and ".join(one.kind for one in found)
        raise UserError(f"{name} is the name of a {kinds}; say which: --kind {found[0].kind}")
    if Path(name).is_dir():
        raise UserError(f"{name} is a folder; say the plugin's file in it: {_file(Path(name))}")
    if len(missing) == 1:
        raise UserError(missing[0])
    wanted = ", ".join(f"{one.kind} ({one.contract})" for one in registries)
    hint = suggestion(name, [own for one in registries for own in one.names()])
    raise UserError(f"{name} is no {wanted}{hint} `robench ls` lists what is installed")


def _file(folder: Path) -> str:
    """Return the file of a plugin in a folder, as `robench new` calls it where it is there."""
    made = folder / f"{folder.resolve().name.replace('-', '_')}.py"
    there = [made] if made.is_file() else sorted(folder.glob("*.py"))
    return str(there[0]) if len(there) == 1 else str(folder / "FILE.py")


def findings(
    one: Asked, root: Path, directory: Path | None, device: torch.device
) -> Iterator[Found]:
    """Yield what each check of the plugin found, as it is found; `root` is an empty folder."""
    case, checks = _questions(one, root, directory, device)
    with torch.random.fork_rng(devices=[]):
        for question in checks:
            yield question.found(case)


def _questions(
    one: Asked, root: Path, directory: Path | None, device: torch.device
) -> tuple[Any, tuple[Check[Any], ...]]:
    """Return the case of a plugin, and what is asked of its kind."""
    given = (one.plugin, one.given, root)
    if one.kind == DEFENSES.kind:
        return defenses.DefenseCase(*given, device), defenses.CHECKS
    if one.kind == ATTACKS.kind:
        return AttackCase(*given, device), attacks.CHECKS
    if one.kind == MODELS.kind:
        return models.ModelCase(*given, device), models.CHECKS
    return datasets.DatasetCase(*given, directory), datasets.CHECKS
