"""The figures of the report as data: what is drawn, and the hash that tells it from other data."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from robench import metrics, sealing, tables
from robench.contents import AccuracyNorm, Content, Curve, Line, Mark, Panel, RobustnessCurve
from robench.legible import MOST, some
from robench.outcomes import Outcomes
from robench.paper_table import ENVELOPE
from robench.published import curve
from robench.ranking import Ranking
from robench.robustness import Track, as_published, tracks
from robench.rounding import rounded
from robench.standings import Row, Section, labels
from robench.strengths import point

STYLE = 3
"""Raise it when `drawing` changes what figures look like, so that old ones count as stale."""
STEPS = 100


@dataclass(frozen=True)
class Figure:
    """A figure of the report: where it lies in the leaderboard folder, and what it shows."""

    path: str
    caption: str
    content: Content

    @property
    def stamp(self) -> str:
        """Return what the drawn file carries: the hash of its data."""
        data = json.dumps([STYLE, type(self.content).__name__, asdict(self.content)])
        return f"robench sha256 {hashlib.sha256(data.encode()).hexdigest()}"

    def matches(self, drawn: bytes) -> bool:
        """Tell whether an SVG was drawn from this data, and is as it was written."""
        whole = drawn.rstrip().endswith((b"</svg>", b"-->")) and sealing.intact(drawn)
        return whole and self.stamp.encode() in drawn


def sealed(drawn: bytes) -> bytes:
    """Return an SVG with the hash of its bytes in a comment at its end."""
    return sealing.sealed(drawn + b"<!-- " + sealing.BLANK + b" -->\n")


def accuracy_norm(section: Section, ranking: Ranking) -> Figure | None:
    """Return the accuracy-against-norm figure of one table; None without a minimal attack.

    The envelope comes first, of the networks put to every attack that counts; then each attack
    that was run on all images.
    """
    standing = ranking.counted.standing
    best = {one.variant for one in ranking.entries[:MOST]}
    rows = [row for row in standing.rows if row.match.variant in best]
    drawn = [(row, ranking.envelope(row)) for row in rows]
    panels = [_panel(section, ENVELOPE, [(row, own) for row, own in drawn if own])]
    for one, name in labels(standing.conditions).items():
        if one.minimal:
            attacked = [(row, row.white[one].outcomes) for row in rows if one in row.white]
            panels.append(_panel(section, name, attacked))
    if not any(panel.lines for panel in panels[1:]):
        return None
    title = f"{section.spec.dataset}, matched at benign accuracy {tables.target(standing.target)}"
    title += some(len(ranking.entries))
    return Figure(
        path=f"figures/{section.spec.protocol}-{standing.target:.4f}-accuracy-norm.svg",
        caption=f"Accuracy against the norm of the perturbation: {title}",
        content=AccuracyNorm(title, tuple(panel for panel in panels if panel.lines)),
    )


def robustness_curve(section: Section) -> Figure | None:
    """Return the robustness curve of a section (paper, Fig. 5); None without a minimal attack.

    A point is a strength of a variant: the means over its training seeds, of final checkpoints.
    """
    panels = [_robustness(section, track) for track in tracks(section)]
    panels = [panel for panel in panels if panel.points]
    if not panels:
        return None
    attacks = ", ".join(panel.title for panel in panels)
    return Figure(
        path=f"figures/{section.spec.protocol}-robustness.svg",
        caption=f"Robustness curve: benign accuracy against rho of {attacks}, "
        f"{section.spec.dataset}",
        content=RobustnessCurve(section.spec.dataset, section.variants, tuple(panels)),
    )


def _panel(section: Section, title: str, rows: Sequence[tuple[Row, Outcomes]]) -> Panel:
    """Return one line a variant, over its seeds."""
    norms = norm_axis([measured for _, measured in rows])
    seeds: dict[str, list[Outcomes]] = {}
    for row, measured in rows:
        seeds.setdefault(row.match.variant, []).append(measured)
    lines = [
        mean_line(variant, section.variants.index(variant), networks, norms)
        for variant, networks in seeds.items()
    ]
    return Panel(title, rounded(norms), tuple(lines))


def _robustness(section: Section, track: Track) -> Curve:
    points = [
        point(section.variants.index(variant), setting, seeds)
        for variant, strengths in track.curves.items()
        for setting, seeds in strengths.items()
    ]
    drawable = [one for one in points if not math.isnan(one.rho.value)]
    return Curve(track.title, tuple(drawable), _marks(section, track))


def _marks(section: Section, track: Track) -> tuple[Mark, ...]:
    """Return the paper's points, beside the first variant of each defense."""
    if not as_published(section, track.condition):
        return ()
    first: dict[str, str] = {}
    for variant, strengths in track.curves.items():
        (one, *_), *_ = strengths.values()
        first.setdefault(one.run.spec.defense, variant)
    return tuple(
        Mark(section.variants.index(variant), *place)
        for defense, variant in first.items()
        for place in curve(section.published, defense)
    )


def line_of(label: str, variant: int, measured: Outcomes, norms: NDArray[np.float64]) -> Line:
    """Return the accuracy left at `norms` by a minimal attack, with Wilson's intervals."""
    accuracy = metrics.curve(measured, norms)
    count = len(measured.label)
    bands = [metrics.wilson(round(share * count), count) for share in accuracy]
    return Line(
        label=label,
        variant=variant,
        accuracy=rounded(accuracy),
        low=rounded(band.low for band in bands),
        high=rounded(band.high for band in bands),
    )


def mean_line(
    label: str, variant: int, seeds: Sequence[Outcomes], norms: NDArray[np.float64]
) -> Line:
    """Return the mean over seeds with their extremes; the line of one seed with its intervals."""
    if len(seeds) == 1:
        return line_of(label, variant, seeds[0], norms)
    curves = np.stack([metrics.curve(one, norms) for one in seeds])
    return Line(
        label=label,
        variant=variant,
        accuracy=rounded(curves.mean(axis=0)),
        low=rounded(curves.min(axis=0)),
        high=rounded(curves.max(axis=0)),
    )


def norm_axis(networks: Sequence[Outcomes], at_least: float = 0.0) -> NDArray[np.float64]:
    """Return norms from 0 to where all but the last 1 % of the distances are reached.

    They end at `at_least` or beyond it, and at 1 where nothing tells how far to go.
    """
    reached = [one.distance[one.success] for one in networks]
    far = max((float(np.quantile(norms, 0.99)) for norms in reached if len(norms)), default=0.0)
    far = max(far, at_least)
    return np.linspace(0.0, far if 0 < far < math.inf else 1.0, STEPS + 1)
