"""What a benchmark leaves behind: one JSON file with its rows and all that they depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from robench.benchmarking.floor import Pass
from robench.benchmarking.ground import Asked, Prepared
from robench.benchmarking.rounds import Failure
from robench.benchmarking.row import Row
from robench.environment import describe
from robench.runs import write_json


@dataclass(frozen=True)
class Results:
    """All rows so far."""

    rows: Sequence[Row]
    front: Sequence[Row]
    failures: Sequence[Failure]
    fastest: Sequence[Pass]
    """Passes; measured anew with every contest, as whatever else runs can only slow them down."""


def write(
    path: Path,
    results: Results,
    asked: Asked,
    prepared: Prepared,
    libraries: Mapping[str, str],
) -> None:
    """Write the record in one step. `libraries`: the peers' versions, empty where not installed."""
    write_json(path, content(results, asked, prepared, libraries))


def content(
    results: Results, asked: Asked, prepared: Prepared, libraries: Mapping[str, str]
) -> dict[str, Any]:
    """Return the record as plain values."""
    ground = prepared.ground
    device = next(ground.subject.network.parameters()).device
    return {
        "environment": describe(device),
        "threads": torch.get_num_threads(),
        "libraries": dict(libraries),
        "network": prepared.network,
        "precision": ground.subject.precision,
        "image_seed": asked.image_seed,
        "attack_seed": 0,
        "time_limit": asked.limit,
        "passes": [asdict(one) for one in results.fastest],
        "rows": [asdict(row) for row in results.rows],
        "front": [asdict(row) for row in results.front],
        "failures": [asdict(one) for one in results.failures],
    }
