"""Networks that robench did not train, as the page in HTML shows them: unranked."""

from collections.abc import Sequence

from robench.archive import Archive
from robench.imported.explaining import explain_imported
from robench.imported.part import (
    ATTACK,
    UNRANKED,
    attack_line,
    attack_name,
    footnotes,
    header,
    title_of,
)
from robench.imported.part import line as summary_line
from robench.imported.standing import Group, Own, groups
from robench.markdown import plain
from robench.meanings import meaning
from robench.paper_table import ENVELOPE
from robench.provenance_text import network_facts
from robench.records import digest
from robench.site.contents import Column, Datum, Grid, Line, Network, Strangers
from robench.site.prose import inline
from robench.site.rows import network
from robench.standings import Section

UNASKED = {
    "attacks": "what the network was attacked by",
    "near": "benign accuracies of the tables above that it may be read beside",
}
"""Columns of the summary that `robench explain` has nothing to say of, and what they hold."""


def strangers(found: Archive, sections: Sequence[Section]) -> tuple[Strangers, ...]:
    """Return what the page shows of them; `sections`: what it shows of trained networks."""
    return tuple(_group(found, group) for group in groups(found, sections))


def _group(found: Archive, group: Group) -> Strangers:
    return Strangers(
        id=f"strangers-{digest([group.dataset, group.data], 8)}",
        title=title_of(group),
        said=inline(UNRANKED),
        summary=_summary(group),
        footnotes=tuple(inline(note) for note in footnotes(group)),
        networks=tuple(_network(found, group, one) for one in group.networks),
    )


def _summary(group: Group) -> Grid:
    columns = [
        Column(title, UNASKED[name], "")
        if name in UNASKED
        else Column(title, meaning(name.partition(" ")[0]), name)
        for name, title in header(group)[1:]
    ]
    lines = []
    for one in group.networks:
        texts = map(plain, summary_line(group, one)[1:])
        data = [Datum(text, asked.number) for asked, text in zip(columns, texts, strict=True)]
        lines.append(Line(one.label, one.label, tuple(data)))
    return Grid("network", tuple(columns), tuple(lines))


def _network(found: Archive, group: Group, one: Own) -> Network:
    (behind,) = explain_imported(found, f"{one.imported.key} rho_correct_{ENVELOPE}")
    facts = network_facts(behind.networks[0])
    return network(found, one.label, _attacks(group, one), facts, one.audit, behind.measurements)


def _attacks(group: Group, one: Own) -> Grid:
    columns = [Column(title, meaning(metric), metric) for metric, title in ATTACK]
    lines = []
    for result in one.results:
        name = attack_name(group, result)
        texts = zip(ATTACK, map(plain, attack_line(result)), strict=True)
        data = tuple(Datum(text, f"{metric}_{name}") for (metric, _), text in texts)
        lines.append(Line(name, one.label, data, name))
    return Grid("attack", tuple(columns), tuple(lines))
