"""The tables of the report, in Markdown. Numbers are turned into text here and nowhere else."""

import math
from collections.abc import Collection, Mapping, Sequence

from robench.archive import Result
from robench.markdown import escape, table
from robench.metrics import SUFFICIENT, Interval
from robench.records import Precision, Run, Settings
from robench.settings import text
from robench.standings import Condition, Row, Standing, condition, labels

EMPTY = "-"
NOT_RUN = "not run"
MARK = "†"


def summary(standing: Standing) -> str:
    """Return one line for each variant, best first, and those that found no match below."""
    names = {one: escape(name) for one, name in labels(standing.conditions).items()}
    fixed = [one for one in standing.conditions if not one.minimal]
    best = standing.strongest
    header = ["rank", "defense", "benign accuracy"]
    if best is not None:
        header += [f"rho, {names[best]}", f"rho_correct, {names[best]}", "success rate"]
    header += [f"accuracy, {names[one]}{_radius(one)}" for one in fixed]
    header += ["s/epoch"]
    rows = [
        [str(place), f"**{escape(row.label)}**", *_summary_cells(row, best, fixed)]
        for place, row in enumerate(standing.rows, 1)
    ]
    for row in standing.unmatched:
        cells = [EMPTY, escape(row.label), not_matched(row)]
        rows.append(cells + [EMPTY] * (len(header) - len(cells)))
    return table(header, rows)


def _summary_cells(row: Row, best: Condition | None, fixed: Sequence[Condition]) -> list[str]:
    cells = [interval(row.results[0].benign) if row.results else NOT_RUN]
    if best is not None:
        cells += _minimal_cells(row.white.get(best))
    cells += [_accuracy(row.white, one) for one in fixed]
    return [*cells, f"{row.run.seconds_per_epoch:.2f}"]


def _minimal_cells(result: Result | None) -> list[str]:
    """Return rho, rho_correct and the success rate."""
    if result is None:
        return [NOT_RUN] * 3
    return [
        interval(result.distances.rho) + _mark(result),
        interval(result.distances.rho_correct),
        interval(result.success),
    ]


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


def paper(standing: Standing) -> str:
    """Return the table of the paper (Tables 2 and 3), with what it leaves out."""
    names = {one: escape(name) for one, name in labels(standing.conditions).items()}
    rows = [line for row in standing.rows for line in _paper_lines(row, names)]
    for row in standing.unmatched:
        rest = len(PAPER_HEADER) - 3
        rows.append([escape(row.label), EMPTY, *[EMPTY] * rest, not_matched(row)])
    return table(PAPER_HEADER, rows)


def _paper_lines(row: Row, names: Mapping[Condition, str]) -> list[list[str]]:
    """Return a line for each attack; what holds for all of them stands on the first alone."""
    lines = []
    for place, (one, name) in enumerate(names.items() or [(None, EMPTY)]):
        first = place == 0
        lines.append(
            [
                f"**{escape(row.label)}**" if first else "",
                name + (_radius(one) if one else ""),
                *_attack_cells(row, one),
                (interval(row.results[0].benign) if row.results else NOT_RUN) if first else "",
                f"{row.run.seconds_per_epoch:.2f}" if first else "",
                str(row.results[0].evaluation.count) if row.results else EMPTY,
                matched_by(row) if first else "",
            ]
        )
    return lines


def _attack_cells(row: Row, one: Condition | None) -> list[str]:
    """Return white-box accuracy, mean, median, success rate, rho_correct, black-box accuracy."""
    black = EMPTY if one is None else _accuracy(row.black, one)
    result = row.white.get(one) if one else None
    if one is None or result is None:
        return [NOT_RUN] * 5 + [black]
    success = interval(result.success)
    if not one.minimal:
        return [interval(result.accuracy), EMPTY, EMPTY, success, EMPTY, black]
    mean, correct, success = _minimal_cells(result)
    return [EMPTY, mean, interval(result.distances.median), success, correct, black]


def footnotes(standing: Standing) -> list[str]:
    """Return the sentences that the tables of this standing need below them."""
    notes = []
    minimal = [result for row in standing.rows for one, result in row.white.items() if one.minimal]
    if any(_mark(result) for result in minimal):
        notes.append(
            f"{MARK} The attack failed on more than {1 - SUFFICIENT:.1%} of the correctly "
            "classified images. rho leaves failures out and so rewards a defense that makes the "
            "attack fail: read the median, where a failure is infinitely far, and the accuracies."
        )
    for row in standing.rows:
        for result in row.results:
            if count := result.evaluation.violations:
                notes.append(
                    f"{escape(condition(result.evaluation).name)} on {escape(row.label)}: {count} "
                    "adversarial images left the box or the radius and count as failures."
                )
    return [*notes, *_precision_note(standing)]


def _precision_note(standing: Standing) -> list[str]:
    """Name the columns that were searched in bf16, in all rows or in some."""
    sides = [side for row in standing.rows for side in (row.white, row.black)]
    return precision_note(
        {
            name: [side[one].evaluation.precision for side in sides if one in side]
            for one, name in labels(standing.conditions).items()
        }
    )


def precision_note(searched: Mapping[str, Collection[Precision]]) -> list[str]:
    """Name the attacks of which all results, or some, were searched in bf16; nothing if none."""
    said = [
        escape(name) + (" (in part)" if "float32" in precisions else "")
        for name, precisions in searched.items()
        if "bf16" in precisions
    ]
    return [f"Searched in bf16, verified in float32: {', '.join(said)}."] if said else []


def interval(measured: Interval) -> str:
    """Return a value to four decimals with its 95 % interval to three."""
    if math.isnan(measured.value):
        return "n/a"
    # The no-break space lets a narrow cell break before the bracket and only there.
    bounds = f"[{number(measured.low, 3)},\N{NO-BREAK SPACE}{number(measured.high, 3)}]"
    return f"{number(measured.value, 4)} {bounds}"


def number(value: float, digits: int) -> str:
    """Return a number to so many decimals; infinity as a sign, nan as `n/a`."""
    if math.isinf(value):
        return "∞"
    return "n/a" if math.isnan(value) else f"{value:.{digits}f}"


def not_matched(row: Row) -> str:
    """Return what an unmatched row says: how near it came and what to try."""
    setting = strength(row.run)
    near = f"not matched: nearest {row.match.accuracy:.3f}" + (f" ({setting})" if setting else "")
    return escape(", ".join(part for part in (near, row.match.advice) if part))


def matched_by(row: Row) -> str:
    """Return which checkpoint of which run stands in the row."""
    match, setting = row.match, strength(row.run)
    kept = next(one for one in row.run.checkpoints if one.step == match.step)
    which = "final checkpoint" if match.how == "final" else f"checkpoint at epoch {kept.epoch:.1f}"
    chosen_on = "validation" if row.run.spec.validation else "test"
    of = f" of {setting}" if setting else ""
    return f"{_unbroken(which + of)}, {_unbroken(f'{chosen_on} accuracy {match.accuracy:.4f}')}"


def strength(run: Run) -> str:
    """Return the setting a run was matched by, as `eps=0.1`; nothing where there is none."""
    if run.strength is None or run.strength.setting not in run.spec.settings:
        return ""
    return settings({run.strength.setting: run.spec.settings[run.strength.setting]})


def settings(values: Settings) -> str:
    """Return settings as they are typed after `--set`."""
    return ", ".join(f"{name}={text(value)}" for name, value in values.items())


def target(value: float) -> str:
    """Return a benign accuracy as it was asked for: at least two decimals."""
    short = f"{value:.4f}".rstrip("0")
    return short.ljust(4, "0")


def _unbroken(text: str) -> str:
    """Return text that no narrow cell breaks."""
    return escape(text).replace(" ", "\N{NO-BREAK SPACE}")


def _accuracy(results: Mapping[Condition, Result], one: Condition) -> str:
    return interval(results[one].accuracy) if one in results else NOT_RUN


def _radius(one: Condition) -> str:
    return "" if one.radius is None else f" at {one.radius:g}"


def _mark(result: Result) -> str:
    return f" {MARK}" if result.success.value < SUFFICIENT else ""
