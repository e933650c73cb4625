"""What figures show, as plain data: drawn by `robench.drawing`, known by the hash of this data.

Accuracies are fractions, norms L2 on [0, 1] images. `variant` is a place in a list of names that
gives the colour, so that a defense looks the same in every figure of a page.
"""

from dataclasses import dataclass

from robench.metrics import Interval


@dataclass(frozen=True)
class Line:
    """Accuracy of one row against the norm; accuracies at the panel's norms."""

    label: str
    variant: int
    accuracy: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """An attack at one budget: the mean norm that it spent, and the accuracy it left."""

    norm: float
    accuracy: Interval
    setting: str
    """What was varied, as `eps=0.5`."""


@dataclass(frozen=True)
class Track:
    """One attack at several budgets, in order of the norm."""

    label: str
    variant: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Panel:
    """Accuracy against the norm: all rows under one minimal attack, or several attacks."""

    title: str
    norms: tuple[float, ...]
    lines: tuple[Line, ...]
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True)
class AccuracyNorm:
    """Accuracy-against-norm curves (paper, Figs. 2 left, 3, 4, 8)."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Point:
    """One strength of one defense on the robustness curve; the mean where there are seeds."""

    variant: int
    rho: Interval
    benign: Interval
    setting: str = ""
    """The strength, as `eps=0.1`."""
    seeds: tuple[tuple[float, float], ...] = ()
    """(rho, benign accuracy) of each seed, where there are several."""


@dataclass(frozen=True)
class Mark:
    """A point that the paper published, read off its plot."""

    variant: int
    rho: float
    benign: float


@dataclass(frozen=True)
class Curve:
    """The robustness curves of several defenses under one minimal attack."""

    title: str
    points: tuple[Point, ...]
    """By variant, in order of strength: the order they are joined in."""
    published: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class RobustnessCurve:
    """Benign accuracy against rho (paper, Figs. 5 and 7)."""

    title: str
    variants: tuple[str, ...]
    panels: tuple[Curve, ...]


@dataclass(frozen=True)
class Moment:
    """A checkpoint along training."""

    epoch: float
    benign: Interval
    rho: Interval


@dataclass(frozen=True)
class History:
    """One run, moment by moment."""

    label: str
    variant: int
    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class AlongTraining:
    """Benign accuracy and rho against the epoch (paper, Fig. 2 right)."""

    title: str
    attack: str
    histories: tuple[History, ...]


@dataclass(frozen=True)
class Picture:
    """One image with the class it is given."""

    pixels: str
    """Base64 of uint8 pixels, (height, width, channels)."""
    caption: str
    wrong: bool


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side."""

    label: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """A grid of images (paper, Table 4)."""

    title: str
    shape: tuple[int, int, int]
    """(height, width, channels) of every picture."""
    rows: tuple[PictureRow, ...]


@dataclass(frozen=True)
class Place:
    """A defense in a ranking: its rank and the number it is ranked by, the mean over seeds."""

    label: str
    variant: int
    rank: int
    value: Interval
    seeds: tuple[float, ...]
    """The same number of each seed, where there are several."""


@dataclass(frozen=True)
class Ranked:
    """A ranking at one benign accuracy, best first."""

    title: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class AtAGlance:
    """The rankings of one protocol beside each other, by benign accuracy."""

    title: str
    axis: str
    """What they are ranked by."""
    panels: tuple[Ranked, ...]


Content = AccuracyNorm | RobustnessCurve | AlongTraining | Gallery | AtAGlance
