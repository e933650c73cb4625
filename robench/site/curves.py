"""What the charts draw, as JSON can hold it, and the same in tables for who reads no chart."""

from collections.abc import Mapping, Sequence
from typing import Any

from robench import tables
from robench.at_a_glance import at_a_glance
from robench.contents import AccuracyNorm, AtAGlance, Panel, RobustnessCurve
from robench.figures import Figure, accuracy_norm
from robench.markdown import plain
from robench.metrics import Interval
from robench.ranking import Ranking
from robench.robustness import Final, tracks
from robench.site.contents import Column, Datum, Grid, Line
from robench.site.rows import row_id
from robench.standings import Section
from robench.strengths import point
from robench.tables import interval, number, settings, target

EVERY = 4
"""Of the norms of a curve, which are sent: steps of a twenty-fifth of the axis."""
SHOWN = 10
"""Which a table shows."""
Json = Mapping[str, Any]
BENIGN = "benign accuracy of the final checkpoint on the attacked images; of seeds, the mean"
RHO = "mean L2 norm over the fooled images, misclassified ones at 0; of seeds, the mean"
LEFT = "share of images that are correct and have no error within the norm; of seeds, the mean"


def standing_charts(section: Section, ranking: Ranking) -> Json:
    """Return the ranking and the accuracy-norm curves of a standing."""
    at = ranking.counted.standing.target
    figure = accuracy_norm(section, ranking)
    panels = _panels(figure)
    return {
        "target": target(at),
        "rows": {
            row_id(section, at, entry.variant): {
                "name": entry.variant,
                "place": section.variants.index(entry.variant),
                "runs": [row.run.key for row in entry.rows],
                "by": [plain(tables.matched_by(row)) for row in entry.rows],
            }
            for entry in ranking.entries
        },
        "ranking": _ranking(section, ranking, at),
        "panels": [_panel(section, one, at) for one in panels],
    }


def norms_grid(section: Section, ranking: Ranking) -> Grid | None:
    """Return the accuracy at some norms under the envelope, or the first attack that is drawn."""
    panels = _panels(accuracy_norm(section, ranking))
    if not panels:
        return None
    first, places = panels[0], range(0, len(panels[0].norms), SHOWN)
    lines = [
        Line(line.label, "", tuple(Datum(number(line.accuracy[place], 4)) for place in places))
        for line in first.lines
    ]
    columns = [Column(f"at {number(first.norms[place], 3)}", LEFT) for place in places]
    return Grid(first.title, tuple(columns), tuple(lines))


def section_charts(section: Section, figure: Figure | None) -> list[Json]:
    """Return the robustness curves of a section, one an attack."""
    content = figure.content if figure else None
    marks = (
        {panel.title: panel.published for panel in content.panels}
        if isinstance(content, RobustnessCurve)
        else {}
    )
    return [
        {
            "title": track.title,
            "points": [
                _point(section, variant, strength, seeds)
                for variant, strengths in track.curves.items()
                for strength, seeds in strengths.items()
            ],
            "published": [
                {"name": section.variants[mark.variant], "place": mark.variant}
                | {"rho": mark.rho, "benign": mark.benign}
                for mark in marks.get(track.title, ())
            ],
        }
        for track in tracks(section)
    ]


def points_grid(charts: Sequence[Json]) -> tuple[tuple[str, Grid], ...]:
    """Return a table of the points of each of the robustness curves, as the charts have them."""
    columns = (Column("benign accuracy", BENIGN), Column("rho", RHO), Column("runs", "folders"))
    return tuple(
        (
            chart["title"],
            Grid(
                "strength",
                columns,
                tuple(
                    Line(one["label"], "", tuple(Datum(one[key]) for key in ("at", "far", "runs")))
                    for one in chart["points"]
                ),
            ),
        )
        for chart in charts
    )


def _point(section: Section, variant: str, strength: str, seeds: Sequence[Final]) -> Json:
    one = point(section.variants.index(variant), strength, seeds)
    return {
        "name": variant,
        "place": one.variant,
        "label": f"{variant}, {strength}" if strength else variant,
        "settings": settings(seeds[0].run.spec.settings) or "none",
        "rho": _bounds(one.rho),
        "benign": _bounds(one.benign),
        "far": plain(interval(one.rho)),
        "at": plain(interval(one.benign)),
        "runs": ", ".join(final.run.key for final in seeds),
    }


def _ranking(section: Section, ranking: Ranking, at: float) -> list[Json]:
    figure = at_a_glance(section, [ranking])
    content = figure.content if figure else None
    places = content.panels[0].places if isinstance(content, AtAGlance) else ()
    return [
        {
            "row": row_id(section, at, one.label),
            "rank": one.rank,
            "value": _bounds(one.value),
            "text": plain(interval(one.value)),
        }
        for one in places
    ]


def _panels(figure: Figure | None) -> tuple[Panel, ...]:
    content = figure.content if figure else None
    return content.panels if isinstance(content, AccuracyNorm) else ()


def _panel(section: Section, panel: Panel, at: float) -> Json:
    return {
        "title": panel.title,
        "norms": [round(norm, 4) for norm in panel.norms[::EVERY]],
        "lines": [
            {
                "row": row_id(section, at, line.label),
                "accuracy": _scaled(line.accuracy, 4),
                "low": _scaled(line.low, 3),
                "high": _scaled(line.high, 3),
            }
            for line in panel.lines
        ],
    }


def _scaled(values: Sequence[float], digits: int) -> list[int]:
    """Return shares as they are shown with so many decimals, in units of the last."""
    return [int(number(value, digits).replace(".", "")) for value in values[::EVERY]]


def _bounds(one: Interval) -> list[float | None]:
    values = (one.value, one.low, one.high)
    return [value if abs(value) < float("inf") else None for value in values]
