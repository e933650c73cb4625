"""Our numbers beside the paper's in Markdown: a line for each variant of a defense that it has."""

from robench.beside import Beside, Line
from robench.markdown import escape, table
from robench.tables import EMPTY, interval, mark, number, target

PAPER = "paper"


def beside_part(found: Beside) -> list[str]:
    """Return the heading, what to mind, and the table."""
    header, rows = beside_cells(found)
    lines = [[escape(line.variant), *row] for line, row in zip(found.lines, rows, strict=True)]
    return [
        f"### Beside the paper's {escape(found.terms.table)}",
        minding(found),
        table(["defense", *header], lines),
    ]


def beside_cells(found: Beside) -> tuple[list[str], list[list[str]]]:
    """Return the header but for the defense, and the cells of each line.

    For each measure a column a target and then the paper's: rho over the baseline's, rho, benign
    accuracy; then seconds per epoch, ours and the paper's.
    """
    targets = [target(one.counted.standing.target) for one in found.rankings]
    measures = ("over the baseline's", f"rho of {escape(found.terms.attack)}", "benign accuracy")
    header = []
    for measure in measures:
        header += [f"{measure}, at {one}" for one in targets] + [f"{measure}, {PAPER}"]
    return [*header, "s/epoch", f"s/epoch, {PAPER}"], [_cells(found, one) for one in found.lines]


def _cells(found: Beside, line: Line) -> list[str]:
    rho = line.paper.attacks[found.terms.attack]["mean"]
    base = found.baseline.attacks[found.terms.attack]["mean"]
    ratios, distances, accuracies = [], [], []
    for one in line.readings:
        failing = "".join(dict.fromkeys(mark(own.success) for own in one.results)) if one else ""
        over = one.over_baseline if one else None
        ratios.append(interval(over) + failing if over else EMPTY)
        distances.append(interval(one.rho) + failing if one else EMPTY)
        accuracies.append(interval(one.entry.benign) if one and one.entry.benign else EMPTY)
    return [
        *(*ratios, number(rho / base, 4), *distances, number(rho, 4)),
        *(*accuracies, number(line.paper.benign, 4)),
        *(f"{line.seconds_per_epoch:.2f}", number(line.paper.seconds, 2)),
    ]


def minding(found: Beside) -> str:
    """Return what to mind when the two are compared, as Markdown."""
    terms = found.terms
    return (
        f"Absolute values cannot agree: the paper's networks were {terms.scale}, with a benign "
        f"accuracy of {found.baseline.benign:.2f}. What can be compared is rho over that of "
        f"`{terms.baseline}`, both at one benign accuracy. Ours are means over training seeds, "
        f"under the paper's settings of `{terms.attack}`, with 95 % intervals; the paper's are of "
        f"one seed, its seconds of an {terms.hardware}. What the paper has for a defense stands "
        "beside each of its variants."
    )
