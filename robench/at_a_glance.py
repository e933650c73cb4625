"""The rankings of one protocol as one figure: who is ahead, by how much, how surely."""

from collections.abc import Iterable, Sequence

from robench import metrics, tables
from robench.contents import AtAGlance, Place, Ranked
from robench.figures import Figure
from robench.legible import MOST, some
from robench.ranking import Entry, Ranking
from robench.rounding import rounded, rounded_interval
from robench.standings import Section

AXIS = "rho_correct of the envelope: mean L2 norm of the nearest error (images in [0, 1])"


def at_a_glance(section: Section, rankings: Iterable[Ranking]) -> Figure | None:
    """Return the figure of all rankings of a section; None where nothing is ranked."""
    panels = tuple(_panel(section, ranking) for ranking in rankings)
    panels = tuple(panel for panel in panels if panel.places)
    if not panels:
        return None
    dataset = section.spec.dataset
    return Figure(
        path=f"figures/{section.spec.protocol}-ranking.svg",
        caption=f"Ranking at matched benign accuracy: {dataset}",
        content=AtAGlance(f"{dataset}, ranked at matched benign accuracy", AXIS, panels),
    )


def _panel(section: Section, ranking: Ranking) -> Ranked:
    ranked = [entry for entry in ranking.entries if entry.rank]
    places = [_place(section.variants, entry) for entry in ranked[:MOST]]
    target = tables.target(ranking.counted.standing.target)
    return Ranked(f"benign accuracy {target}{some(len(ranked))}", tuple(places))


def _place(variants: Sequence[str], entry: Entry) -> Place:
    assert entry.rank is not None
    assert entry.numbers is not None  # a ranked entry has its envelopes
    several = [metrics.rho_correct(one) for one in entry.envelopes] if entry.envelopes[1:] else []
    return Place(
        label=entry.variant,
        variant=variants.index(entry.variant),
        rank=entry.rank,
        value=rounded_interval(entry.numbers.rho_correct),
        seeds=rounded(several),
    )
