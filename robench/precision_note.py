"""The sentence that says which attacks were searched in bf16, from which side and on which rows."""

from collections.abc import Collection

from robench.markdown import escape
from robench.records import Precision
from robench.standings import Condition, Standing, condition, labels

Side = tuple[Condition, bool]
"""An attack, and whether it was white-box: black-box images were searched on another network."""


def precision_note(standing: Standing) -> list[str]:
    """Name the attacks that were searched in bf16 on all rows, and on which rows others were."""
    searched: dict[Side, dict[Precision, list[str]]] = {}
    for row in standing.rows:
        for one in row.results:
            side = condition(one.evaluation), one.evaluation.white_box
            found = searched.setdefault(side, {})
            found.setdefault(one.evaluation.precision, []).append(row.match.variant)
    names, groups = labels(standing.conditions), dict[tuple[str, ...], list[Side]]()
    for side in ((way, white_box) for way in names for white_box in (True, False)):
        rows = searched.get(side, {})
        if "bf16" in rows:
            part = rows["bf16"] if "float32" in rows else []
            groups.setdefault(tuple(dict.fromkeys(part)), []).append(side)
    said = [
        ", ".join(dict.fromkeys(_name(side, sides, searched, names[side[0]]) for side in sides))
        + (f" on {', '.join(rows)} alone" if rows else "")
        for rows, sides in sorted(groups.items(), key=lambda group: bool(group[0]))
    ]
    return [f"Searched in bf16, verified in float32: {escape('; '.join(said))}."] if said else []


def _name(side: Side, sides: Collection[Side], ran: Collection[Side], name: str) -> str:
    """Return the attack's name, with its side where of the two that were run one alone is meant."""
    way, white_box = side
    other = (way, not white_box)
    if other in sides or other not in ran:
        return name
    return f"{name} {'white-box' if white_box else 'black-box'}"
