"""The figures of the report as data: what is drawn, and the hash that tells it from other data."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from robench import metrics, tables
from robench.archive import Result
from robench.metrics import Interval
from robench.standings import (
    Condition,
    Section,
    Standing,
    condition,
    labels,
    on_common_images,
    table_order,
)

STYLE = 2
"""Raise it when `drawing` changes what figures look like, so that old ones count as stale."""
DIGITS = 5
"""Decimals that are drawn and hashed; rounding hides differences in the last bits of sums."""
STEPS = 100


@dataclass(frozen=True)
class Line:
    """Accuracy of one row against the norm; accuracies at the panel's norms."""

    label: str
    variant: int
    """Place among the section's variants, which gives the colour."""
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """All rows under one minimal attack."""

    attack: str
    norms: tuple[float, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class AccuracyNorm:
    """Accuracy-against-norm curves (paper, Fig. 4), one panel for each minimal attack."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Point:
    """One checkpoint on the robustness curve, with 95 % intervals."""

    variant: int
    rho: Interval
    benign: Interval


@dataclass(frozen=True)
class Curve:
    """All evaluated checkpoints under one minimal attack."""

    attack: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class RobustnessCurve:
    """Benign accuracy against rho (paper, Fig. 5), one panel for each minimal attack."""

    title: str
    variants: tuple[str, ...]
    panels: tuple[Curve, ...]


@dataclass(frozen=True)
class Figure:
    """A figure of the report: where it lies in the leaderboard folder, and what it shows."""

    path: str
    caption: str
    content: AccuracyNorm | RobustnessCurve

    @property
    def stamp(self) -> str:
        """Return what the drawn file carries: the hash of its data."""
        data = json.dumps([STYLE, type(self.content).__name__, asdict(self.content)])
        return f"robench sha256 {hashlib.sha256(data.encode()).hexdigest()}"

    def matches(self, drawn: bytes) -> bool:
        """Tell whether an SVG was drawn from this data."""
        return self.stamp.encode() in drawn


def accuracy_norm(section: Section, standing: Standing) -> Figure | None:
    """Return the accuracy-against-norm figure of one table; None without a minimal attack."""
    names = labels(standing.conditions)
    panels = [_panel(section, standing, one, name) for one, name in names.items() if one.minimal]
    if not any(panel.lines for panel in panels):
        return None
    title = f"{section.spec.dataset}, matched at benign accuracy {tables.target(standing.target)}"
    return Figure(
        path=f"figures/{section.spec.protocol}-{standing.target:.4f}-accuracy-norm.svg",
        caption=f"Accuracy against the norm of the perturbation: {title}",
        content=AccuracyNorm(title, tuple(panel for panel in panels if panel.lines)),
    )


def robustness_curve(section: Section) -> Figure | None:
    """Return the robustness curve of a section; None without a minimal attack."""
    white = [one for one in section.results if one.evaluation.white_box and one.evaluation.minimal]
    used = on_common_images(white)
    names = labels(sorted({condition(one.evaluation) for one in used}, key=table_order))
    curves = [_robustness(section, used, one, name) for one, name in names.items()]
    panels = tuple(curve for curve in curves if curve.points)
    if not panels:
        return None
    attacks = ", ".join(panel.attack for panel in panels)
    return Figure(
        path=f"figures/{section.spec.protocol}-robustness.svg",
        caption=f"Robustness curve: benign accuracy against rho of {attacks}, "
        f"{section.spec.dataset}",
        content=RobustnessCurve(section.spec.dataset, section.variants, panels),
    )


def _panel(section: Section, standing: Standing, one: Condition, name: str) -> Panel:
    rows = [(row, row.white[one]) for row in standing.rows if one in row.white]
    norms = _norms([result for _, result in rows])
    return Panel(
        attack=name,
        norms=_rounded(norms),
        lines=tuple(
            _line(row.label, section.variants.index(row.match.variant), result, norms)
            for row, result in rows
        ),
    )


def _robustness(section: Section, results: Iterable[Result], one: Condition, name: str) -> Curve:
    points = [_point(section, result) for result in results if condition(result.evaluation) == one]
    drawable = [point for point in points if not math.isnan(point.rho.value)]
    drawable.sort(key=lambda point: (point.variant, point.benign.value, point.rho.value))
    return Curve(name, tuple(drawable))


def _line(label: str, variant: int, result: Result, norms: NDArray[np.float64]) -> Line:
    accuracy = metrics.curve(result.outcomes, norms)
    count = result.evaluation.count
    bands = [metrics.wilson(round(share * count), count) for share in accuracy]
    return Line(
        label=label,
        variant=variant,
        accuracy=_rounded(accuracy),
        low=_rounded(band.low for band in bands),
        high=_rounded(band.high for band in bands),
    )


def _norms(results: Sequence[Result]) -> NDArray[np.float64]:
    """Return norms from 0 to where all but the last 1 % of the distances are reached."""
    reached = [one.outcomes.distance[one.outcomes.success] for one in results]
    far = max((float(np.quantile(norms, 0.99)) for norms in reached if len(norms)), default=0.0)
    return np.linspace(0.0, far if far > 0 else 1.0, STEPS + 1)


def _point(section: Section, result: Result) -> Point:
    weights = result.evaluation.weights
    run = next(
        run for run in section.runs if any(kept.sha256 == weights for kept in run.checkpoints)
    )
    return Point(
        variant=section.variants.index(run.variant),
        rho=_rounded_interval(result.distances.rho),
        benign=_rounded_interval(result.benign),
    )


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(value), DIGITS) for value in values)


def _rounded_interval(measured: Interval) -> Interval:
    return Interval(*_rounded((measured.value, measured.low, measured.high)))
