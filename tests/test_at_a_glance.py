"""The rankings at a glance: what is drawn is what is ranked."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from recordings import EPS, Recorder, drawn, match
from robench import archive, metrics
from robench.at_a_glance import at_a_glance
from robench.contents import AtAGlance, Place, Ranked
from robench.drawing import draw
from robench.drawing.style import theme
from robench.figures import Figure
from robench.metrics import Interval
from robench.ranking import Ranking, rank
from robench.standings import Section, sections

FAR, NEAR = 0.4, 0.2


@pytest.fixture(autouse=True)
def themed() -> Iterator[None]:
    """Draw in the theme that `render` sets."""
    with theme():
        yield


def recorded(root: Path, audited: bool = True) -> tuple[Section, list[Ranking]]:
    """Return two defenses, one of two seeds, matched at 0.7 and attacked; and their ranking."""
    recorder = Recorder(root)
    runs = [recorder.run(), *(recorder.run("fgm", {"eps": 0.1}, EPS, seed) for seed in (0, 1))]
    for place, run in enumerate(runs):
        recorder.evaluation(run, "cw", drawn(place, FAR + 0.01 * place if place else NEAR))
    for run in runs if audited else []:
        recorder.audit(run)
    recorder.matches([match(run) for run in runs])
    found = archive.read(root)
    (section,) = sections(found)
    return section, [rank(standing, found.audits) for standing in section.standings]


def content(figure: Figure | None) -> AtAGlance:
    """Return what a figure shows."""
    assert figure is not None
    assert isinstance(figure.content, AtAGlance)
    return figure.content


def test_it_shows_every_ranked_defense_with_its_seeds(tmp_path: Path) -> None:
    section, rankings = recorded(tmp_path)
    (panel,) = content(at_a_glance(section, rankings)).panels
    assert panel.title == "benign accuracy 0.70"
    assert [(one.label, one.rank) for one in panel.places] == [("fgm", 1), ("baseline", 2)]
    first, second = panel.places
    entry = rankings[0].entries[0]
    assert entry.numbers is not None
    assert first.value.value == pytest.approx(entry.numbers.rho_correct.value, abs=1e-5)
    of_seeds = [metrics.rho_correct(one) for one in entry.envelopes]
    assert first.seeds == pytest.approx(of_seeds, abs=1e-5)
    assert second.seeds == ()  # one seed is the value itself
    assert section.variants[first.variant] == "fgm"


def test_without_a_rank_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert at_a_glance(*recorded(tmp_path, audited=False)) is None


def points(ax: Axes, ticks: bool) -> list[list[tuple[float, float]]]:
    """Return the places of the seeds' ticks, or of the means; a list a defense, the top first."""
    own = [one for one in ax.lines if (one.get_marker() == "|") == ticks]
    return [[(x, y) for x, y in np.asarray(one.get_xydata()).tolist()] for one in own]


def test_lines_stand_at_their_ranks_and_values() -> None:
    places = (
        Place("fgm", 0, 1, Interval(0.6, 0.5, 0.7), (0.55, 0.65)),
        Place("baseline", 1, 2, Interval(0.3, 0.2, 0.4), ()),
    )
    canvas = draw(AtAGlance("cifar10", "rho", (Ranked("benign accuracy 0.70", places),)))
    (ax,) = canvas.axes
    assert points(ax, ticks=False) == [[(0.6, 0)], [(0.3, 1)]]
    assert points(ax, ticks=True) == [[(0.55, 0), (0.65, 0)], []]
    assert [one.get_text() for one in ax.get_yticklabels()] == ["fgm   1", "baseline   2"]
    low, high = ax.get_ylim()
    assert low > high  # the best on top
    assert ax.get_xlabel() == "rho"


def test_all_panels_share_one_axis() -> None:
    def panel(value: float) -> Ranked:
        return Ranked("", (Place("fgm", 0, 1, Interval(value, value, value), ()),))

    canvas = draw(AtAGlance("", "rho", (panel(0.2), panel(0.9))))
    first, second = canvas.axes
    assert first.get_xlim() == second.get_xlim()
    assert first.get_xlim()[0] < 0.2 < 0.9 < first.get_xlim()[1]


def test_a_long_name_is_broken_between_its_words() -> None:
    name = "pgn (preset=paper, generator_width=0.25)"
    places = (Place(name, 0, 1, Interval(0.6, 0.5, 0.7), ()),)
    canvas = draw(AtAGlance("", "rho", (Ranked("", places),)))
    (shown,) = [one.get_text() for one in canvas.axes[0].get_yticklabels()]
    assert shown == "pgn (preset=paper,\ngenerator_width=0.25)   1"
