"""The robustness curve of a section on the page, and which curve lies further out."""

from robench.contents import RobustnessCurve
from robench.figures import Figure, robustness_curve
from robench.markdown import embed
from robench.published import terms
from robench.standings import Section

READ = (
    "A point is one strength of a defense: its benign accuracy and rho, of final checkpoints on "
    "the same images. The outer curve is the better defense: more robust at the same benign "
    "accuracy (paper, Fig. 5)."
)
ONE_SEED = "Bars are 95 % intervals over images."
SEVERAL = (
    "Points are means over training seeds; bars and bands span the seeds, and where there is one "
    "seed, bars are its 95 % intervals over images."
)
PUBLISHED = (
    "Hollow points on dotted lines: the paper's, read off its plot; its networks were {scale}."
)


def robustness(section: Section, figures: list[Figure]) -> list[str]:
    """Return heading, figure and how to read it, and add the figure; nothing without points."""
    figure = robustness_curve(section)
    if figure is None:
        return []
    figures.append(figure)
    return ["### Robustness curve", embed(figure.caption, figure.path), _reading(section, figure)]


def _reading(section: Section, figure: Figure) -> str:
    content, known = figure.content, terms(section.published)
    assert isinstance(content, RobustnessCurve)
    several = any(point.seeds for panel in content.panels for point in panel.points)
    said = [READ, SEVERAL if several else ONE_SEED]
    if known and any(panel.published for panel in content.panels):
        said.append(PUBLISHED.format(scale=known.scale))
    return " ".join(said)
