"""The report's part on classifiers that robench did not train: tables, a figure, their origin."""

from collections.abc import Sequence

from robench import files, metrics, tables
from robench.archive import Archive, Result
from robench.contents import AccuracyNorm, Panel
from robench.figures import Figure, line_of, norm_axis
from robench.imported.record import Imported
from robench.imported.standing import Group, Own, groups
from robench.markdown import block, details, embed, escape, table
from robench.paper_table import ENVELOPE
from robench.rounding import rounded
from robench.standings import Section, condition
from robench.summary_table import verdict
from robench.tables import EMPTY, interval, mark

UNRANKED = """Each at its own benign accuracy, attacked white-box alone, and **not ranked**: robench
did not train them, so that nothing is known of the images, the protocol and the choice of weights
behind them, and no benign accuracy was matched. Where their own is within the tolerance of one that
rows above are matched at, on the same test images, the column *near* names it: these rows may be
read beside them. The envelope is the nearest error that any attack on the network found; of fewer
attacks it lies further out.""".replace("\n", " ")


def imported_parts(
    found: Archive, sections: Sequence[Section], figures: list[Figure]
) -> tuple[list[str], int]:
    """Return the report's parts, and how many results there are of such networks.

    Their figures are added to `figures`. `sections`: what the report shows of trained networks.
    """
    parts = [part for group in groups(found, sections) for part in _group(group, figures)]
    return parts, results_of(found)


def results_of(found: Archive) -> int:
    """Return how many results there are of networks that robench did not train."""
    weights = {one.weights for one in found.imported.values()}
    return sum(one.evaluation.weights in weights for one in found.results)


def title_of(group: Group) -> str:
    """Return the heading of a group; not Markdown."""
    return f"Networks that robench did not train: {group.dataset}"


def footnotes(group: Group) -> list[str]:
    """Return what the marks of the summary say, in Markdown."""
    fooled = [metrics.success_rate(one.envelope).value for one in group.networks]
    if not any(share < metrics.SUFFICIENT for share in fooled):
        return []
    return [
        f"{tables.MARK} more than {1 - metrics.SUFFICIENT:.1%} of the correctly classified "
        "images were not fooled and are left out of the mean: read the success rate beside it."
    ]


def header(group: Group) -> list[tuple[str, str]]:
    """Return the columns of the summary: what each is asked for by, and its title."""
    radii = [(f"accuracy_{ENVELOPE} at {e:g}", f"accuracy, envelope at {e:g}") for e in group.radii]
    return [
        ("", "network"),
        ("benign", "benign accuracy"),
        ("images", "images"),
        (f"rho_correct_{ENVELOPE}", "rho_correct, envelope"),
        (f"rho_{ENVELOPE}", "rho, envelope"),
        (f"success_{ENVELOPE}", "success rate"),
        *radii,
        ("attacks", "attacks"),
        ("near", "near"),
        ("audit", "audit"),
    ]


def line(group: Group, one: Own) -> list[str]:
    """Return a network's line of the summary, in Markdown."""
    found, names = one.numbers(group.radii), group.attacks
    called = dict.fromkeys(names[condition(result.evaluation)] for result in one.results)
    failing = mark(found.success)
    return [
        escape(one.label),
        interval(found.benign),
        f"{len(one.envelope.label):,}",
        interval(found.rho_correct) + failing,
        interval(found.rho) + failing,
        interval(found.success),
        *(interval(accuracy) for accuracy in found.accuracy),
        escape(", ".join(called)),
        ", ".join(map(tables.target, one.near)) or EMPTY,
        escape(verdict([one.audit])),
    ]


ATTACK = (
    *(("accuracy", "accuracy white-box"), ("rho", "mean L2 (rho)"), ("median", "median L2")),
    *(("success", "success rate"), ("rho_correct", "rho_correct"), ("images", "images")),
)
"""Columns of one attack: what each is asked for by, and its title."""


def attack_line(result: Result) -> list[str]:
    """Return the numbers of an attack, in the order of `ATTACK`."""
    success, count = interval(result.success), f"{result.evaluation.count:,}"
    if not result.evaluation.minimal:
        return [interval(result.accuracy), EMPTY, EMPTY, success, EMPTY, count]
    far, failing = result.distances, mark(result.success)
    own = [interval(far.rho) + failing, interval(far.median), success]
    return [EMPTY, *own, interval(far.rho_correct) + failing, count]


def attack_name(group: Group, result: Result) -> str:
    """Return what an attack is called in the tables; not Markdown."""
    one = condition(result.evaluation)
    return group.attacks[one] + tables.radius(one)


def _group(group: Group, figures: list[Figure]) -> list[str]:
    columns = [title for _, title in header(group)]
    parts = [f"## {escape(title_of(group))}", UNRANKED]
    parts.append(table(columns, [line(group, one) for one in group.networks]))
    parts += footnotes(group)
    if figure := _figure(group):
        figures.append(figure)
        parts.append(embed(figure.caption, figure.path))
    attacks = [
        [escape(one.label), escape(attack_name(group, result)), *attack_line(result)]
        for one in group.networks
        for result in one.results
    ]
    every = table(["network", "attack", *(title for _, title in ATTACK)], attacks)
    parts.append(details("Every attack on these networks", every))
    brought = "\n".join(f"- **{escape(one.label)}:** {_origin(one)}" for one in group.networks)
    parts.append(details("Where these networks are from", brought))
    if remarks := [text for one in group.networks for text in _remarks(one)]:
        parts.append(details("What their audits remark", "\n".join(remarks)))
    return [*parts, details("Commands that evaluated them", block(_commands(group)))]


def _figure(group: Group) -> Figure | None:
    """Return accuracy against the norm of the nearest error; None without a minimal attack."""
    drawn = [one for one in group.networks if any(r.evaluation.minimal for r in one.whole)]
    if not drawn:
        return None
    norms = norm_axis([one.envelope for one in drawn])
    lines = [line_of(one.label, at, one.envelope, norms) for at, one in enumerate(drawn)]
    title = f"{group.dataset}, networks that robench did not train"
    of = files.sha256(f"{group.dataset} {group.data}".encode())[:8]
    return Figure(
        path=f"figures/imported-{of}-accuracy-norm.svg",
        caption=f"Accuracy against the norm of the perturbation: {title}",
        content=AccuracyNorm(title, (Panel(ENVELOPE, rounded(norms), tuple(lines)),)),
    )


def _origin(one: Own) -> str:
    return escape("; ".join(f"{name} {text}" for name, text in origin(one.imported).items()))


def origin(one: Imported) -> dict[str, str]:
    """Return where a classifier came from, in words; not Markdown."""
    settings = f" ({tables.settings(one.settings)})" if one.settings else ""
    named = ", ".join(f"{mean:g}/{std:g}" for mean, std in zip(one.mean, one.std, strict=True))
    facts = {
        "built by": one.factory + settings,
        "weights from": f"{one.origin}, SHA-256 {one.origin_sha256}" if one.origin else "",
        "kept as SHA-256": one.weights,
        "normalised by": f"mean/deviation {named}" if named else "nothing, or inside",
        "changed": ", ".join(one.notes),
        "recorded as": one.key,
    }
    return {name: text for name, text in facts.items() if text}


def _remarks(one: Own) -> list[str]:
    found = (*one.audit.failed, *one.audit.warnings) if one.audit else ()
    return [
        f"- {escape(f'{one.label}, {f.check} ({f.verdict}): {f.measured}. Remedy: {f.remedy}.')}"
        for f in found
    ]


def _commands(group: Group) -> list[str]:
    made = [result.evaluation.environment for one in group.networks for result in one.results]
    return list(dict.fromkeys(one["command"] for one in made if one.get("command"))) or [
        "# evaluated from Python: robench.evaluate(network, ...)"
    ]
