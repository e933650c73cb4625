"""Which defenses' training is timed, and on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from robench import documents
from robench.data import Data, Split
from robench.environment import choose_device
from robench.errors import UserError
from robench.planning import Plan, Request, plan
from robench.records import Setting

BUILT_IN = Path(__file__).with_name("trainings.yaml")
PIXELS, CLASSES, EPOCH = 32, 10, 50_000
"""Of synthetic images: as CIFAR-10's."""


@dataclass(frozen=True)
class Line:
    """A defense and its settings."""

    defense: str
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a person asks to time."""

    request: Request
    """Model, batch size, precision and the like; its defense is replaced by each line's."""
    steps: int = 20
    """Of a lap."""
    rounds: int = 3
    """Laps that count."""

    def __post_init__(self) -> None:
        """Refuse what times nothing."""
        for name in ("steps", "rounds"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} {getattr(self, name)} is not at least 1")


def lines(defenses: Sequence[str], settings: Mapping[str, Setting]) -> tuple[Line, ...]:
    """Return the built-in lines, or those of `defenses` alone, the first line always among them.

    A defense that no line names is timed at its defaults. `settings`: of the one defense named.
    """
    rows = documents.read(BUILT_IN)
    assert isinstance(rows, list)
    built_in = [Line(**row) for row in rows]
    if settings and len(defenses) != 1:
        raise UserError("--set needs exactly one --defense: whose setting it is must be clear")
    if settings:
        return built_in[0], Line(defenses[0], dict(settings))
    wanted = [
        [line for line in built_in if line.defense == name] or [Line(name)] for name in defenses
    ]
    chosen = [line for found in wanted for line in found] if defenses else built_in
    first = [] if built_in[0] in chosen else built_in[:1]
    return (*first, *chosen)


def images(asked: Asked, line: Line, *, synthetic: bool) -> tuple[Data, int]:
    """Return the data to train on, and how many images an epoch of it has.

    Noise of CIFAR-10's shape, of which a lap is enough: the time of a step does not depend on what
    it sees. Otherwise the request's data set; UserError where it cannot be had.
    """
    request = asked.request
    if synthetic:
        return noise(asked.steps * request.batch_size, choose_device(request.device)), EPOCH
    data = plan(replace(request, defense=line.defense)).data
    return data, len(data.train)


def planned(line: Line, asked: Asked, data: Data, root: Path) -> Plan:
    """Return a run of `line` whose epochs are laps."""
    request = replace(
        asked.request,
        defense=line.defense,
        settings={**asked.request.settings, **line.settings},
        epochs=asked.rounds + 4,  # one warms up, two are measured otherwise, the last is not begun
        rung=0.0,
        runs=root,
    )
    return plan(request, data)


def lap(data: Data, asked: Asked) -> Data:
    """Return as many training images as a lap takes, repeated where there are too few."""
    rows = torch.arange(asked.steps * asked.request.batch_size, device=data.train.y.device)
    rows %= len(data.train)
    few = slice(0, asked.request.batch_size)
    return replace(
        data,
        train=Split(data.train.x[rows], data.train.y[rows]),
        validation=Split(data.validation.x[few], data.validation.y[few]),
    )


def noise(count: int, device: torch.device) -> Data:
    """Return `count` random images with random labels, of CIFAR-10's shape."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (count, PIXELS, PIXELS, 3), generator=random, dtype=torch.uint8)
    y = torch.randint(0, CLASSES, (count,), generator=random)
    split = Split(x.to(device), y.to(device))
    names = tuple(str(number) for number in range(CLASSES))
    return Data(split, split, split, names, "synthetic", held_out=0, flip=True, pad=4)
