"""The table of the paper (Tables 2 and 3), a line an attack, with what it leaves out."""

from collections.abc import Sequence
from dataclasses import dataclass

from robench import metrics
from robench.archive import Result, measure
from robench.markdown import escape, table
from robench.ranking import Ranking
from robench.standings import Condition, Row, condition, labels
from robench.tables import (
    EMPTY,
    NOT_RUN,
    accuracy,
    interval,
    mark,
    matched_by,
    not_matched,
    radius,
)

PAPER_HEADER = (
    "defense",
    "attack",
    "accuracy white-box",
    "mean L2 (rho)",
    "median L2",
    "success rate",
    "rho_correct",
    "accuracy black-box",
    "benign accuracy",
    "s/epoch",
    "images",
    "matched by",
)
ENVELOPE = "envelope"


@dataclass(frozen=True, eq=False)
class Line:
    """An attack on one network and the same images: white-box, black-box or both."""

    condition: Condition
    white: Result | None
    black: Result | None


def paper(ranking: Ranking) -> str:
    """Return a line for each attack on each network, in the order of the ranking.

    An attack made for a defense, or run on a part of the images, stands only where it was run.
    """
    shown = (one for row in ranking.rows for one in (*row.white.values(), *row.parts))
    measure(one for one in shown if one.evaluation.white_box and one.evaluation.minimal)
    lines = [line for row in ranking.rows for line in cells(ranking, row)]
    for row in ranking.counted.standing.unmatched:
        rest = len(PAPER_HEADER) - 3
        lines.append([escape(row.label), EMPTY, *[EMPTY] * rest, not_matched(row)])
    return table(PAPER_HEADER, lines)


def cells(ranking: Ranking, row: Row) -> list[list[str]]:
    """Return the lines of one network: those of `attack_lines`, then the envelope's."""
    standing = ranking.counted.standing
    names = {one: escape(name) for one, name in labels(standing.conditions).items()}
    attacks = [
        [names[one.condition] + radius(one.condition), *_cells(one)]
        for one in attack_lines(row, standing.shared)
    ]
    attacks.append([f"*{ENVELOPE}*", *_envelope_cells(ranking, row)])
    return _with_network(row, attacks)


def attack_lines(row: Row, shared: Sequence[Condition]) -> tuple[Line, ...]:
    """Return what each line of a network shows: shared attacks, the row's own, parts."""
    found = [
        Line(one, row.white.get(one), row.black.get(one))
        for one in dict.fromkeys([*shared, *row.white, *row.black])
    ]
    by_part: dict[tuple[Condition, str], dict[bool, Result]] = {}
    for result in row.parts:
        key = (condition(result.evaluation), result.evaluation.images)
        by_part.setdefault(key, {})[result.evaluation.white_box] = result
    found += [Line(one, own.get(True), own.get(False)) for (one, _), own in by_part.items()]
    return tuple(found)


def _with_network(row: Row, attacks: list[list[str]]) -> list[list[str]]:
    """Put what holds for all attacks on the first line alone; the last cell of each is images."""
    lines = []
    for place, (name, *cells, images) in enumerate(attacks):
        own = [interval(row.benign) if row.benign else NOT_RUN]
        own += [f"{row.run.seconds_per_epoch:.2f}"]
        first = place == 0
        lines.append(
            [
                f"**{escape(row.label)}**" if first else "",
                name,
                *cells,
                *(own if first else ["", ""]),
                images,
                matched_by(row) if first else "",
            ]
        )
    return lines


def _cells(line: Line) -> list[str]:
    """Return white-box accuracy, mean, median, success, rho_correct, black-box accuracy, images."""
    one, white, black = line.condition, line.white, line.black
    transferred = accuracy({one: black} if black else {}, one)
    transferred = EMPTY if one.adaptive else transferred
    images = next((f"{own.evaluation.count:,}" for own in (white, black) if own), EMPTY)
    if white is None:
        return [*[NOT_RUN] * 5, transferred, images]
    success = interval(white.success)
    if not one.minimal:
        own = [interval(white.accuracy), EMPTY, EMPTY, success, EMPTY]
        return [*own, transferred, images]
    far, failing = white.distances, mark(white.success)
    mean, median = interval(far.rho) + failing, interval(far.median)
    return [EMPTY, mean, median, success, interval(far.rho_correct), transferred, images]


def _envelope_cells(ranking: Ranking, row: Row) -> list[str]:
    """Return the same of the envelope, which has no accuracy without a radius."""
    measured = ranking.envelope(row)
    if measured is None:
        return [EMPTY, *["incomplete"] * 4, EMPTY, EMPTY]
    far, rate = ranking.reach(row), metrics.success_rate(measured)
    cells = [interval(far.rho) + mark(rate), interval(far.median), interval(rate)]
    return [EMPTY, *cells, interval(far.rho_correct), EMPTY, f"{len(measured.label):,}"]
