"""The sentences that the tables of one standing need below them."""

from robench import metrics
from robench.markdown import escape
from robench.metrics import SUFFICIENT
from robench.ranking import Ranking
from robench.records import Precision
from robench.standings import Condition, Standing, condition, labels
from robench.tables import MARK, precision_note


def footnotes(ranking: Ranking) -> list[str]:
    """Return what the marks mean, which images broke the rules, and what was searched in bf16."""
    standing = ranking.counted.standing
    notes = []
    if _marked(ranking):
        notes.append(
            f"{MARK} More than {1 - SUFFICIENT:.1%} of the correctly classified images were not "
            "fooled. rho leaves failures out and so rewards a defense that makes the "
            "attack fail: read the median, where a failure is infinitely far, and the accuracies."
        )
    for row in ranking.rows:
        for result in row.results:
            if count := result.evaluation.violations:
                notes.append(
                    f"{escape(condition(result.evaluation).name)} on {escape(row.label)}: {count} "
                    "adversarial images left the box or the radius and count as failures."
                )
    return [*notes, *_precision_note(standing)]


def _marked(ranking: Ranking) -> bool:
    """Tell whether a minimal attack or an envelope fails on too much of some row."""
    rates = [
        result.success
        for row in ranking.rows
        for result in row.results
        if result.evaluation.minimal and result.evaluation.white_box
    ]
    rates += [metrics.success_rate(own) for entry in ranking.entries for own in entry.envelopes]
    return any(rate.value < SUFFICIENT for rate in rates)


def _precision_note(standing: Standing) -> list[str]:
    """Name the columns that were searched in bf16, in all rows or in some."""
    searched: dict[Condition, list[Precision]] = {}
    for row in standing.rows:
        for result in row.results:
            found = searched.setdefault(condition(result.evaluation), [])
            found.append(result.evaluation.precision)
    names = labels(standing.conditions)
    return precision_note({name: searched.get(one, []) for one, name in names.items()})
