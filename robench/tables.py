"""The cells of tables in Markdown. Numbers are turned into text here and nowhere else."""

import math
from collections.abc import Mapping

from robench.archive import Result
from robench.markdown import escape
from robench.metrics import SUFFICIENT, Interval
from robench.records import Run, RunSpec, Settings
from robench.settings import text
from robench.standings import Condition, Row

EMPTY = "-"
NOT_RUN = "not run"
MARK = "†"


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
    kept = row.run.at(match.step)
    which = "final checkpoint" if match.how == "final" else f"checkpoint at epoch {kept.epoch:.1f}"
    chosen_on = "validation" if row.run.spec.validation else "test"
    of = f" of {setting}" if setting else ""
    return f"{_unbroken(which + of)}, {_unbroken(f'{chosen_on} accuracy {match.accuracy:.4f}')}"


def strength(run: Run) -> str:
    """Return the setting a run was matched by, as `eps=0.1`; nothing where there is none."""
    if run.strength is None or run.strength.setting not in run.spec.settings:
        return ""
    return settings({run.strength.setting: run.spec.settings[run.strength.setting]})


def trained(spec: RunSpec) -> str:
    """Return how long and by what a run was trained."""
    return (
        f"{spec.epochs} epochs, batch size {spec.batch_size}, Adam {spec.learning_rate:g}, "
        f"moving average {spec.ema:g}, {spec.precision}"
    )


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


def accuracy(results: Mapping[Condition, Result], one: Condition) -> str:
    """Return the accuracy under an attack, where it was run."""
    return interval(results[one].accuracy) if one in results else NOT_RUN


def radius(one: Condition) -> str:
    """Return the radius of a fixed-budget attack as it follows its name."""
    return "" if one.radius is None else f" at {one.radius:g}"


def mark(success: Interval) -> str:
    """Return what marks a distance that leaves too many failures out."""
    return f" {MARK}" if success.value < SUFFICIENT else ""
