"""What training a defense costs: one row of `robench bench train`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from robench.benchmarking.laps import Timed, floor
from robench.benchmarking.table import aligned
from robench.benchmarking.trainings import Asked
from robench.environment import describe
from robench.learner import CLASSIFIER
from robench.markdown import escape
from robench.settings import text

UNITS = {"forward": 1, "inputs": 1, "weights": 2, "through": 2}
"""Forward passes' worth of arithmetic: a backward pass for inputs convolves once a layer, one for
the weights twice, and so does differentiating the former."""
LETTERS = {"forward": "F", "inputs": "I", "weights": "W", "through": "T"}
HEADER = (
    "defense",
    "ms/step",
    "images/s",
    "s/epoch",
    "passes",
    "floor, ms",
    "to floor",
    "to baseline",
    "by passes",
    "start, s",
    "peak, MiB",
    "busy",
)


@dataclass(frozen=True)
class Cost:
    """Times in seconds, memory in bytes."""

    defense: str
    settings: Mapping[str, Any]
    """Those that are not the defense's defaults."""
    seconds_per_step: float
    images_per_second: float
    seconds_per_epoch: float
    """Of the data set's training images; measuring and storing left out."""
    passes: Mapping[str, float]
    """A step, `classifier forward` and the like."""
    seconds_per_pass: Mapping[str, float]
    floor: float
    """Seconds that the passes of a step take by themselves."""
    ratio_to_floor: float
    ratio_to_baseline: float
    """Over the reference's step, in the same round."""
    ratio_by_passes: float
    """What the classifier's passes alone make of it, by their arithmetic; 3 for the plain loss."""
    other_networks: float
    """Share of the floor that the passes of other networks, a generator's, are."""
    starting: float
    """Seconds that the first lap took longer than others: warming up and, if asked, compiling."""
    peak_memory: int | None
    """Beyond the images and the program; None where it cannot be known."""
    busy: float | None
    """Share of a step for which a GPU computes; None of a CPU."""


def cost(timed: Timed, asked: Asked, images: int) -> Cost:
    """Return the row of one line; `images` make an epoch."""
    batch = asked.request.batch_size
    units = sum(
        count * UNITS[way] for (name, way), count in timed.passes.items() if name == CLASSIFIER
    )
    others = {key: count for key, count in timed.passes.items() if key[0] != CLASSIFIER}
    return Cost(
        defense=timed.line.defense,
        settings=dict(timed.line.settings),
        seconds_per_step=timed.seconds,
        images_per_second=batch / timed.seconds,
        seconds_per_epoch=timed.seconds * -(-images // batch),
        passes={f"{name} {way}": count for (name, way), count in timed.passes.items()},
        seconds_per_pass={f"{name} {way}": value for (name, way), value in timed.pace.items()},
        floor=timed.floor,
        ratio_to_floor=timed.to_floor,
        ratio_to_baseline=timed.to_reference,
        ratio_by_passes=units / (UNITS["forward"] + UNITS["weights"]),
        other_networks=floor(others, timed.pace) / timed.floor,
        starting=timed.first,
        peak_memory=timed.peak,
        busy=timed.busy,
    )


def costs_table(rows: Sequence[Cost]) -> str:
    """Return the rows as a table that is read as text and rendered as Markdown."""
    return aligned(HEADER, [_cells(row) for row in rows])


def content(rows: Sequence[Cost], asked: Asked, data: str, device: torch.device) -> dict[str, Any]:
    """Return a record of the rows, and of what they depend on, as plain values."""
    request = asked.request
    return {
        "environment": describe(device),
        "threads": torch.get_num_threads(),
        "data": data,
        "model": request.model,
        "settings": dict(request.settings),
        "batch_size": request.batch_size,
        "precision": request.precision,
        "steps": asked.steps,
        "rounds": asked.rounds,
        "rows": [asdict(row) for row in rows],
    }


def _cells(row: Cost) -> tuple[str, ...]:
    settings = ", ".join(f"{key}={text(value)}" for key, value in row.settings.items())
    return (
        escape(f"{row.defense} ({settings})" if settings else row.defense),
        f"{1000 * row.seconds_per_step:.1f}",
        f"{row.images_per_second:.0f}",
        f"{row.seconds_per_epoch:.1f}",
        _passes(row.passes),
        f"{1000 * row.floor:.1f}",
        f"{row.ratio_to_floor:.2f}",
        f"{row.ratio_to_baseline:.2f}",
        f"{row.ratio_by_passes:.2f}" + (" + others" if row.other_networks else ""),
        f"{row.starting:.1f}",
        "-" if row.peak_memory is None else f"{row.peak_memory / 2**20:.0f}",
        "-" if row.busy is None else f"{row.busy:.2f}",
    )


def _passes(passes: Mapping[str, float]) -> str:
    """Return `2F 1I 1W; generator 1F 1W`."""
    words: dict[str, list[str]] = {}
    for key, count in passes.items():
        name, _, way = key.rpartition(" ")
        words.setdefault(name, []).append(f"{count:g}{LETTERS[way]}")
    texts = [
        " ".join(counts) if name == CLASSIFIER else f"{escape(name)} {' '.join(counts)}"
        for name, counts in words.items()
    ]
    return "; ".join(texts)
