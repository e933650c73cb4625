"""From a line of a contest to something that attacks."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from torch import nn

from robench.benchmarking.contests import OWN, Line
from robench.benchmarking.passes import Counted, Tally
from robench.engine import search_precision
from robench.errors import UserError
from robench.estimator import wrap
from robench.peer import Peer, Run, Target
from robench.plugins import ATTACKS, PEERS
from robench.records import Precision
from robench.settings import configure

EXTRA = "pip install 'robench[peers]'"


@dataclass(frozen=True, eq=False)
class Contestant:
    """A line ready to run. The samples it sends through the network are counted in `tally`."""

    line: Line
    minimal: bool | None
    """Whether it searches the nearest image; None of a peer's."""
    radius: float | None
    """The norm it may not exceed; None of a peer's, and without bound."""
    run: Run
    tally: Tally


@dataclass(frozen=True, eq=False)
class Subject:
    """The network that all attack, float32 and in evaluation mode, on its device."""

    network: nn.Module
    shape: tuple[int, int, int]
    classes: int
    precision: str
    """In which robench's own attacks may search: auto, bf16 or float32."""


def enter(line: Line, subject: Subject, images: int) -> Contestant:
    """Aim a line's attack at the network; UserError for what is not there or takes no such budget.

    `images`: how many there are, the batch of a line that names none.
    """
    tally = Tally()
    counted = Counted(subject.network, tally).eval()
    if line.library == OWN:
        return _own(line, subject, counted, tally)
    peer = PEERS.get(line.library).cls()
    target = Target(
        counted, subject.shape, subject.classes, lambda: _wrapped(counted, subject, "float32")
    )
    try:
        run = peer.attack(line.attack, target, line.batch_size or images, line.budget)
    except UserError as error:
        raise UserError(f"{line.name}: {error}") from None
    return Contestant(line, None, None, run, tally)


def versions(libraries: set[str]) -> dict[str, str]:
    """Return the version of each peer among `libraries`; an empty text where it is missing."""
    return {name: _version(PEERS.get(name).cls) for name in sorted(libraries - {OWN})}


def budget_text(line: Line) -> str:
    """Return the budget of a line as it was given, on one line."""
    return ", ".join(f"{key}={_short(value)}" for key, value in line.budget.items()) or "default"


def _own(line: Line, subject: Subject, counted: Counted, tally: Tally) -> Contestant:
    attack = _configured(line)
    device = next(subject.network.parameters()).device
    precision = search_precision(subject.precision, device, attack, "robench")
    built = attack.build(_wrapped(counted, subject, precision))

    return Contestant(line, attack.minimal, attack.radius, built.generate, tally)


def _configured(line: Line) -> Any:
    plugin = ATTACKS.get(line.attack)
    if line.preset and line.preset not in plugin.cls.presets:
        known = ", ".join(sorted(plugin.cls.presets)) or "none"
        raise UserError(f"{line.attack} has no preset {line.preset!r}; there is: {known}")
    preset = plugin.cls.presets[line.preset][0] if line.preset else {}
    return configure(plugin.cls, {**preset, **line.budget}, plugin.name)


def _wrapped(counted: Counted, subject: Subject, precision: Precision) -> Any:
    return wrap(counted, subject.shape, subject.classes, precision)


def _version(peer: type[Peer]) -> str:
    try:
        return version(peer.distribution)
    except PackageNotFoundError:
        return ""


def _short(value: object) -> str:
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
