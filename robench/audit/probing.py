"""The attacks that an audit tries by itself, read from `probes.yaml`."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from robench import documents
from robench.attack import Attack
from robench.attacking import adversaries, judge
from robench.engine import search_precision
from robench.outcomes import Outcomes
from robench.panel import Panel
from robench.plugins import ATTACKS
from robench.records import Settings
from robench.settings import configure

Probe = Literal["single_step", "iterative", "longer", "scores", "labels"]
RADIUS = 0.5
"""L2 radius where no attack of fixed budget was recorded."""
_FILE = Path(__file__).with_name("probes.yaml")


@dataclass(frozen=True)
class _Entry:
    attack: str
    radius: str = ""
    """The setting that takes the radius; empty for a minimal attack."""
    settings: Settings = field(default_factory=dict)


@cache
def _entries() -> dict[str, _Entry]:
    content: Any = documents.read(_FILE)
    return {name: _Entry(**entry) for name, entry in content.items()}


def configured(probe: Probe, radius: float) -> Attack:
    """Return the attack of a probe at an L2 radius."""
    entry = _entries()[probe]
    plugin = ATTACKS.get(entry.attack)
    given = {entry.radius: radius} if entry.radius else {}
    return configure(plugin.cls, {**entry.settings, **given}, plugin.name)


def attacked(
    network: nn.Module,
    classes: int,
    panel: Panel,
    places: NDArray[np.intp],
    probe: Probe,
    radius: float,
) -> Outcomes:
    """Return what a probe does to the images of `panel` at `places`; a place may occur again."""
    part = Panel(panel.index[places], panel.x[places], panel.y[places], panel.hash)
    attack = configured(probe, radius)
    device = next(network.parameters()).device
    precision = search_precision("auto", device, attack, "robench")
    given = (network, classes, attack, part, probe)
    images, _ = adversaries(*given, precision=precision, bar=False)
    return judge(network, images, part, attack.radius).outcomes


def words(probe: Probe) -> str:
    """Return the attack of a probe with its settings, as the documentation names it."""
    entry = _entries()[probe]
    settings = ", ".join(f"{name}={value}" for name, value in entry.settings.items())
    return f"{entry.attack} ({settings})" if settings else entry.attack
