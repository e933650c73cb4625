"""What paired comparisons came to, in Markdown: a table, then the sentences that it needs."""

from collections.abc import Sequence

from robench.comparison import Difference
from robench.dominance import Dominance, Incomparable
from robench.markdown import escape, table
from robench.metrics import SUFFICIENT
from robench.tables import EMPTY, MARK, interval, number

NOTHING = "Fewer than two defenses: nothing to compare."
ONE_SEED = (
    "A side with one training seed: the interval is over test images alone and says nothing of how "
    "much another training would change."
)
FAILING = (
    f"{MARK} The attack failed on more than {1 - SUFFICIENT:.1%} of a side's correctly classified "
    "images. Both measures of distance leave failures out, which rewards whoever makes it fail."
)


DIFFERENCES = (
    *("difference in rho_correct", "verdict"),
    *("difference in benign accuracy", "images", "seeds"),
)
DOMINANCE = (
    *("shared accuracies", "area", "mean advantage in rho", "share ahead", "crossings"),
    *("verdict", "points", "images", "seeds"),
)
"""What the columns after that of the pair are called."""


def differences_table(differences: Sequence[Difference]) -> str:
    """Return a line a pair with its difference in rho_correct and who is ahead."""
    if not differences:
        return NOTHING
    rows = [[_pair(one), *difference_cells(one)] for one in differences]
    notes = [
        f"{_pair(one)}: not compared, as one of them has no image that is classified correctly "
        "and fooled."
        if one.on == "own"
        else f"{_pair(one)}: not compared, as no image is classified correctly and fooled on both."
        for one in differences
        if not one.tie and one.leader is None
    ]
    return "\n\n".join([table(("defenses", *DIFFERENCES), rows), *notes, *_warnings(differences)])


def dominance_table(compared: Sequence[Dominance | Incomparable]) -> str:
    """Return a line a pair of robustness curves, and a sentence for those without a comparison."""
    if not compared:
        return NOTHING
    found = [one for one in compared if isinstance(one, Dominance)]
    apart = [one for one in compared if isinstance(one, Incomparable)]
    rows = [[_pair(one), *dominance_cells(one)] for one in found]
    parts = [table(("defenses", *DOMINANCE), rows)] if rows else []
    parts += [_not_compared(one) for one in apart]
    parts += [
        f"{_pair(one)}: {one.left_out} of {one.resamples} resamples shared no accuracy or lacked a "
        "point, and are left out of the interval."
        for one in found
        if one.left_out
    ]
    return "\n\n".join([*parts, *_warnings(found)])


def difference_cells(one: Difference) -> list[str]:
    """Return the cells of a pair below `DIFFERENCES`."""
    return [
        interval(one.interval) + _mark(one),
        _verdict(one) if one.tie or one.leader else EMPTY,
        interval(one.benign),
        f"{one.images} in common" if one.on == "both" else str(one.images),
        _seeds(one.seeds),
    ]


def dominance_cells(one: Dominance) -> list[str]:
    """Return the cells of a pair below `DOMINANCE`."""
    return [
        _range((one.low_accuracy, one.high_accuracy)),
        number(one.area.value, 4),
        interval(one.advantage) + _mark(one),
        number(one.share_ahead, 2),
        ", ".join(number(x, 3) for x in one.crossings) or "none",
        _verdict(one),
        f"{one.points[0]}, {one.points[1]}",
        str(one.images),
        _seeds(one.seeds),
    ]


def _pair(one: Difference | Dominance | Incomparable) -> str:
    return f"{escape(one.first)} - {escape(one.second)}"


def _verdict(one: Difference | Dominance) -> str:
    return "tie" if one.leader is None else f"**{escape(one.leader)}** ahead"


def _mark(one: Difference | Dominance) -> str:
    return "" if one.sufficient else f" {MARK}"


def _seeds(seeds: tuple[int, int]) -> str:
    return str(seeds[0]) if seeds[0] == seeds[1] else f"{seeds[0]}, {seeds[1]}"


def _range(accuracies: Sequence[float]) -> str:
    low, high = number(accuracies[0], 3), number(accuracies[-1], 3)
    return low if low == high else f"{low} to {high}"


def _not_compared(one: Incomparable) -> str:
    covered = [
        f"{escape(name)} {_range(accuracies) if accuracies else 'none'}"
        for name, accuracies in zip((one.first, one.second), one.accuracies, strict=True)
    ]
    reason = escape(one.reason)
    return f"{_pair(one)}: not compared, as {reason} (accuracies: {', '.join(covered)})."


def _warnings(compared: Sequence[Difference] | Sequence[Dominance]) -> list[str]:
    notes = [FAILING] if any(not one.sufficient for one in compared) else []
    return [*notes, ONE_SEED] if any(min(one.seeds) == 1 for one in compared) else notes
