"""One line of a contest after it ran: what is printed, drawn and written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from robench import metrics
from robench.benchmarking.floor import Pass, floor
from robench.benchmarking.passes import KINDS, Kind
from robench.outcomes import Outcomes


@dataclass(frozen=True)
class Row:
    """What one attack achieved; norms L2 on [0, 1] images, times seconds, None where unknown."""

    contest: str
    """Its name; the title of the curve in a front."""
    library: str
    attack: str
    budget: str
    batch_size: int
    images: int
    """Attacked, all correctly classified before: fewer than there are where time ran out."""
    complete: bool
    """All were attacked."""
    seconds: float
    passes: Mapping[str, float]
    """Samples an image, `forward_bf16` and the like."""
    success: float
    """Share of the attacked images that were fooled."""
    accuracy: float
    """Under attack: what the success leaves of the accuracy on all images chosen."""
    mean_l2: float | None
    """Over the images fooled."""
    median_l2: float | None
    """Over all attacked, a failure infinitely far; None where that is infinite."""
    violations: int
    """Images outside [0, 1] or beyond the radius: they count as failures."""
    floor: float | None = None
    """Seconds that the passes take at least; None where a pass of their precision is not timed."""
    floor_ratio: float | None = None
    """Seconds over `floor`."""
    ratio: float | None = None
    """Seconds an image over those of ours in the contest; None in a front."""
    l2_ratio: float | None = None
    """Mean L2 over ours, both on the images that both fooled; None in a front."""


def floored(row: Row, fastest: Sequence[Pass]) -> Row:
    """Return the row with its floor, given the fastest passes that were measured."""
    counts = {kind: row.passes[f"{kind[0]}_{kind[1]}"] for kind in KINDS}
    sample = floor(counts, fastest)
    if not sample:
        return row
    least = sample * row.images
    return replace(row, floor=least, floor_ratio=row.seconds / least)


def passes_of(counts: Mapping[Kind, float]) -> dict[str, float]:
    """Return samples an image under the names that rows use."""
    return {f"{way}_{precision}": counts[way, precision] for way, precision in KINDS}


def l2_ratio(own: Outcomes, other: Outcomes) -> float | None:
    """Return `other`'s mean distance over `own`'s, on the first images, that both attacked."""
    count = min(len(own.label), len(other.label))
    both = own.success[:count] & other.success[:count]
    if not both.any():
        return None
    above = other.distance[:count][both].mean(dtype=float)
    below = own.distance[:count][both].mean(dtype=float)
    return float(above / below) if below > 0 else None


def finite(value: float) -> float | None:
    """Return the value, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def measured(outcomes: Outcomes, benign: float) -> dict[str, Any]:
    """Return the fields of a row that follow from outcomes and the accuracy before the attack."""
    success = metrics.success_rate(outcomes).value
    return {
        "images": len(outcomes.label),
        "success": success,
        "accuracy": benign * (1 - success),
        "mean_l2": finite(metrics.rho_correct(outcomes)),
        "median_l2": finite(metrics.median(outcomes)),
    }
