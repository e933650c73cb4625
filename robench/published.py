"""The paper's own figures, to stand beside ours: its tables, and the points of its plots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from robench import documents
from robench.records import Engine, Settings

NONE = "none"
"""Asks for no published figures."""


@dataclass(frozen=True)
class PublishedRow:
    """One defense in Table 2 or 3; accuracies are fractions, `seconds` an epoch's on a 2080 Ti."""

    benign: float
    seconds: float
    attacks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By attack: accuracy, mean, median (L2), black (accuracy)."""


@dataclass(frozen=True)
class Terms:
    """How the paper got what stands beside ours."""

    table: str
    """Where it is published, as `Table 3`."""
    baseline: str
    """The defense that the others are held against."""
    scale: str
    """What its networks were, as the end of a sentence."""
    hardware: str
    """What seconds per epoch were measured on."""
    attack: str
    """The minimal attack of its robustness curves."""
    settings: Settings
    """Those of the attack."""

    def ran(self, attack: str, settings: Settings, engine: Engine) -> bool:
        """Tell whether an attack is the paper's; what its record does not name was not there."""
        same = all(settings.get(name, value) == value for name, value in self.settings.items())
        return same and (attack, engine) == (self.attack, "robench")


def datasets() -> tuple[str, ...]:
    """Return the data sets that the paper shows."""
    return tuple(_content())


def curve(data: str, defense: str) -> tuple[tuple[float, float], ...]:
    """Return (rho of C&W, benign accuracy) along a defense's published robustness curve."""
    points = _content().get(data, {}).get("curves", {}).get(defense, ())
    return tuple((float(rho), float(benign)) for rho, benign in points)


def row(data: str, defense: str) -> PublishedRow | None:
    """Return a defense's row of Table 3 (cifar10) or Table 2 (cifar100)."""
    found = _content().get(data, {}).get("table", {}).get(defense)
    if found is None:
        return None
    attacks = {name: value for name, value in found.items() if isinstance(value, dict)}
    return PublishedRow(found["benign"], found["seconds"], attacks)


def terms(data: str) -> Terms | None:
    """Return how the published results of a data set were made; None where there are none."""
    found = _content().get(data)
    return Terms(**found["terms"]) if found else None


@cache
def _content() -> dict[str, Any]:
    content: Any = documents.read(Path(__file__).with_name("published.yaml"))
    return dict(content)
