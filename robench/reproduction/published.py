"""The paper's own figures, to stand beside ours: its tables, and the points of its plots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from robench import documents

NONE = "none"
"""Asks for no published figures."""


@dataclass(frozen=True)
class PublishedRow:
    """One defense in Table 2 or 3; accuracies are fractions, `seconds` an epoch's on a 2080 Ti."""

    benign: float
    seconds: float
    attacks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By attack: accuracy, mean, median (L2), black (accuracy)."""


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


@cache
def _content() -> dict[str, Any]:
    content: Any = documents.read(Path(__file__).with_name("published.yaml"))
    return dict(content)
