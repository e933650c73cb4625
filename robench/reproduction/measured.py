"""The tables of a reproduction: ours with the paper's beside, and what tells defenses apart."""

from collections.abc import Mapping, Sequence
from typing import get_args

from robench import comparison, dominance
from robench.comparison import Difference, Images
from robench.comparison_tables import differences_table, dominance_table
from robench.markdown import escape, table
from robench.metrics import mean_norm
from robench.outcomes import Outcomes
from robench.paper_table import PAPER_HEADER
from robench.published import PublishedRow, row
from robench.records import Precision
from robench.reproduction.drawn import Served, by_label
from robench.reproduction.record import Reproduction, Shown
from robench.strengths import by_strength, comparable
from robench.tables import EMPTY, interval, number, strength, target

HEADER = (*PAPER_HEADER[:-2], "checkpoint")


def tables_of(made: Reproduction, shown: Shown, served: Sequence[Served]) -> list[str]:
    """Return the tables that belong to a drawing, as Markdown, the sentences they need included."""
    if not served:
        return []
    return [*_shown(made, shown, served), *_precision_note(served)]


def _shown(made: Reproduction, shown: Shown, served: Sequence[Served]) -> list[str]:
    if shown.show == "table":
        return [_paper_table(made, served), *_differences(served)]
    if shown.show == "robustness":
        return [_points(served), *_dominance(served)]
    if shown.show == "along-training":
        return [_points(served)]
    if shown.show == "accuracy-norm":
        return [_points(served), *_differences(served)]
    if shown.show == "attack-power":
        return [_powers(served)]
    return []


def _precision_note(served: Sequence[Served]) -> list[str]:
    """Name the attacks that searched in bf16, in all places or in some."""
    searched: dict[str, set[Precision]] = {}
    for one in served:
        evaluation = one.result.evaluation
        searched.setdefault(evaluation.attack, set()).add(evaluation.precision)
    said = [
        escape(name) + (" (in part)" if "float32" in precisions else "")
        for name, precisions in searched.items()
        if "bf16" in precisions
    ]
    return [f"Searched in bf16, verified in float32: {', '.join(said)}."] if said else []


def _paper_table(made: Reproduction, served: Sequence[Served]) -> str:
    """Return the columns of Tables 2 and 3, the published figure under ours in italics."""
    lines = []
    seen: set[str] = set()
    for label, own in by_label(served).items():
        defense = own[0].run.spec.defense
        published = None if defense in seen else row(made.published, defense)
        seen.add(defense)
        for key in dict.fromkeys((one.cell.run, one.cell.step) for one in own):
            network = [one for one in own if (one.cell.run, one.cell.step) == key]
            for place, one in enumerate(network):
                lines.append(_line(label, one, published, first=place == 0))
    return table(HEADER, lines)


def _line(label: str, one: Served, published: PublishedRow | None, *, first: bool) -> list[str]:
    evaluation = one.result.evaluation
    paper = published.attacks.get(evaluation.attack, {}) if published else {}
    radius = "" if evaluation.radius is None else f" at {evaluation.radius:g}"
    cells = [f"**{escape(label)}**" if first else "", escape(evaluation.attack) + radius]
    if evaluation.minimal:
        far = one.result.distances
        cells += [
            EMPTY,
            _beside(interval(far.rho), paper.get("mean")),
            _beside(interval(far.median), paper.get("median")),
            interval(one.result.success),
            interval(far.rho_correct),
        ]
    else:
        accuracy = _beside(interval(one.result.accuracy), paper.get("accuracy"))
        cells += [accuracy, EMPTY, EMPTY, interval(one.result.success), EMPTY]
    cells.append(_beside(interval(one.black.accuracy), paper.get("black")) if one.black else EMPTY)
    if not first:
        return [*cells, "", "", ""]
    seconds = f"{one.run.seconds_per_epoch:.2f}"
    return [
        *cells,
        _beside(interval(one.result.benign), published.benign if published else None),
        _beside(seconds, published.seconds if published else None, digits=2),
        escape(_checkpoint(one)),
    ]


def _beside(ours: str, theirs: float | None, digits: int = 4) -> str:
    return ours if theirs is None else f"{ours}<br>*paper {number(theirs, digits)}*"


def _checkpoint(one: Served) -> str:
    """Return which checkpoint it is, by its strength, moment, and validation accuracy."""
    kept = one.run.at(one.cell.step)
    moment = "final" if kept.final else f"epoch {kept.epoch:.1f}"
    parts = [strength(one.run), f"seed {one.run.spec.seed}", moment]
    parts.append(f"validation accuracy {kept.accuracy:.4f}")
    return ", ".join(part for part in parts if part)


def _points(served: Sequence[Served]) -> str:
    """Return one line a checkpoint: benign accuracy and distances of the minimal attack."""
    header = ["line", "checkpoint", "benign accuracy", "rho", "rho_correct", "success rate"]
    header += ["s/epoch"]
    rows = [
        [
            escape(label if one.cell.target is None else f"{label} at {target(one.cell.target)}"),
            escape(_checkpoint(one)),
            interval(one.result.benign),
            interval(one.result.distances.rho),
            interval(one.result.distances.rho_correct),
            interval(one.result.success),
            f"{one.run.seconds_per_epoch:.2f}",
        ]
        for label, own in by_label(served).items()
        for one in own
    ]
    return table(header, rows)


def _powers(served: Sequence[Served]) -> str:
    """Return one line for each attack at each budget."""
    header = ["classifier", "attack", "budget", "mean L2 of all perturbations", "accuracy"]
    rows = [
        [
            escape(f"{one.run.variant}, {strength(one.run)}"),
            escape(one.cell.track),
            escape(one.cell.setting) or EMPTY,
            number(mean_norm(one.result.outcomes), 4),
            interval(one.result.accuracy),
        ]
        for one in served
    ]
    return table(header, rows)


def _differences(served: Sequence[Served]) -> list[str]:
    """Return, for each accuracy matched at, what tells the defenses apart under its attack."""
    parts = []
    for value in sorted({one.cell.target for one in served if one.cell.target is not None}):
        own = [one for one in served if one.cell.target == value]
        for track in dict.fromkeys(o.cell.track for o in own if o.result.evaluation.minimal):
            rows = _outcomes(by_label([one for one in own if one.cell.track == track]))
            if len(rows) > 1:
                title = f"Differences in rho_correct under {escape(track)} at benign accuracy "
                parts.append(f"**{title}{target(value)}**")
                parts.append(differences_table(_both_readings(rows)))
    return parts


def _both_readings(rows: Mapping[str, Sequence[Outcomes]]) -> list[Difference]:
    """Return each pair on every network's own images, and on those that both classify correctly."""
    on_own, on_both = (comparison.compare(rows, on) for on in get_args(Images))
    return [one for pair in zip(on_own, on_both, strict=True) for one in pair]


def _dominance(served: Sequence[Served]) -> list[str]:
    """Return by how much one curve lies outside another, for curves of two points or more."""
    curves = comparable({label: by_strength(own) for label, own in by_label(served).items()})
    if len(curves) < 2:
        return []
    said = "**Which curve lies further out, over the accuracies that both cover**"
    return [said, dominance_table(dominance.compare(curves))]


def _outcomes(groups: Mapping[str, Sequence[Served]]) -> dict[str, list[Outcomes]]:
    return {label: [one.result.outcomes for one in own] for label, own in groups.items()}
