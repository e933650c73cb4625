"""From a reproduction's records to what its figures show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robench import metrics
from robench.archive import Archive, Result
from robench.contents import (
    AccuracyNorm,
    AlongTraining,
    Content,
    Curve,
    Gallery,
    History,
    Line,
    Mark,
    Moment,
    Panel,
    RobustnessCurve,
    Step,
    Track,
)
from robench.figures import line_of, mean_line, norm_axis
from robench.pictured import gallery
from robench.published import curve
from robench.records import Run
from robench.reproduction.record import Cell, Reproduction, Shown
from robench.rounding import rounded, rounded_interval
from robench.strengths import by_strength, point
from robench.tables import strength, target


@dataclass(frozen=True, eq=False)
class Served:
    """A cell with its records."""

    cell: Cell
    run: Run
    result: Result
    black: Result | None


def serve(shown: Shown, archive: Archive) -> list[Served]:
    """Return the cells whose records are in the archive, in order."""
    results = {one.evaluation.key: one for one in archive.results}
    return [
        Served(cell, archive.runs[cell.run], results[cell.evaluation], _black(cell, results))
        for cell in shown.cells
        if cell.evaluation in results and _kept(cell, archive.runs.get(cell.run))
    ]


def content(made: Reproduction, shown: Shown, archive: Archive, title: str) -> Content | None:
    """Return what the drawing of `shown` shows; None for a table, or where records are missing."""
    served = serve(shown, archive)
    if not served:
        return None
    names = colours(made)
    if shown.show == "accuracy-norm":
        return _accuracy_norm(served, names, title)
    if shown.show == "robustness":
        return _robustness(made, shown, served, names, title)
    if shown.show == "along-training":
        return _along(served, names, title)
    if shown.show == "attack-power":
        return _attack_power(served, title)
    if shown.show == "gallery":
        return _gallery(made, served, archive, title)
    return None


def colours(made: Reproduction) -> list[str]:
    """Return the labels of a reproduction in its order; their places give their colours."""
    return list(dict.fromkeys(cell.label for shown in made.shown for cell in shown.cells))


def by_label(served: Iterable[Served]) -> dict[str, list[Served]]:
    """Group cells by what they are called."""
    groups: dict[str, list[Served]] = {}
    for one in served:
        groups.setdefault(one.cell.label, []).append(one)
    return groups


def _accuracy_norm(served: list[Served], names: Sequence[str], title: str) -> AccuracyNorm:
    targets = sorted({one.cell.target for one in served if one.cell.target is not None})
    groups: list[tuple[str, list[Served]]] = [
        (f"benign accuracy {target(value)}", [s for s in served if s.cell.target == value])
        for value in reversed(targets)
    ]
    panels = []
    for name, own in groups or [(served[0].cell.track, served)]:
        norms = norm_axis([one.result.outcomes for one in own])
        lines = [
            mean_line(label, names.index(label), [one.result.outcomes for one in seeds], norms)
            for label, seeds in by_label(own).items()
        ]
        panels.append(Panel(name, rounded(norms), tuple(lines)))
    return AccuracyNorm(title, tuple(panels))


def _robustness(
    made: Reproduction, shown: Shown, served: list[Served], names: Sequence[str], title: str
) -> RobustnessCurve:
    points, marks = [], []
    seen: set[str] = set()
    for label, own in by_label(served).items():
        place, defense = names.index(label), own[0].run.spec.defense
        points += [point(place, s, seeds) for s, seeds in by_strength(own).items()]
        if shown.published and defense not in seen:
            marks += [Mark(place, *one) for one in curve(made.published, defense)]
        seen.add(defense)
    panel = Curve(served[0].cell.track, tuple(points), tuple(marks))
    return RobustnessCurve(title, tuple(names), (panel,))


def _along(served: list[Served], names: Sequence[str], title: str) -> AlongTraining:
    histories = []
    for label, own in by_label(served).items():
        moments = [_moment(one) for one in sorted(own, key=lambda one: one.cell.step)]
        histories.append(History(label, names.index(label), tuple(moments)))
    return AlongTraining(title, served[0].cell.track, tuple(histories))


def _moment(one: Served) -> Moment:
    kept = one.run.at(one.cell.step)
    benign, rho = one.result.benign, one.result.distances.rho
    return Moment(kept.epoch, rounded_interval(benign), rounded_interval(rho))


def _attack_power(served: list[Served], title: str) -> AccuracyNorm:
    tracks = list(dict.fromkeys(one.cell.track for one in served))
    panels = []
    for key in dict.fromkeys(one.cell.run for one in served):
        own = [one for one in served if one.cell.run == key]
        minimal = [one for one in own if one.result.evaluation.minimal]
        fixed = [one for one in own if not one.result.evaluation.minimal]
        steps = {
            name: sorted(
                (_step(one) for one in fixed if one.cell.track == name), key=lambda s: s.norm
            )
            for name in tracks
        }
        furthest = max((step.norm for row in steps.values() for step in row), default=0.0)
        norms = norm_axis([one.result.outcomes for one in minimal], at_least=furthest)
        panels.append(
            Panel(
                title=f"{own[0].run.variant}, {strength(own[0].run)}",
                norms=rounded(norms),
                lines=tuple(_minimal(one, tracks, norms) for one in minimal),
                tracks=tuple(
                    Track(name, tracks.index(name), tuple(row))
                    for name, row in steps.items()
                    if row
                ),
            )
        )
    return AccuracyNorm(title, tuple(panels))


def _minimal(one: Served, tracks: Sequence[str], norms: NDArray[np.float64]) -> Line:
    return line_of(one.cell.track, tracks.index(one.cell.track), one.result.outcomes, norms)


def _step(one: Served) -> Step:
    norm = rounded([metrics.mean_norm(one.result.outcomes)])[0]
    return Step(norm, rounded_interval(one.result.accuracy), one.cell.setting)


def _gallery(made: Reproduction, served: list[Served], archive: Archive, title: str) -> Gallery:
    shown = [(one.cell.setting, archive.samples(one.cell.evaluation)) for one in served]
    return gallery(title, shown, made.classes)


def _kept(cell: Cell, run: Run | None) -> bool:
    return run is not None and any(kept.step == cell.step for kept in run.checkpoints)


def _black(cell: Cell, results: Mapping[str, Result]) -> Result | None:
    return results.get(cell.black_box) if cell.black_box else None
