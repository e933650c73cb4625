"""The robustness curve of a section on the page, and which curve lies further out."""

from robench.comparison_tables import dominance_table
from robench.contents import RobustnessCurve
from robench.figures import Figure, robustness_curve
from robench.markdown import embed, escape
from robench.outer import outer
from robench.published import terms
from robench.robustness import tracks
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
SOME = (
    "Left out: {count:,} variants more; drawn and compared are those of most strengths, and among "
    "these the most robust."
)
PUBLISHED = (
    "Hollow points on dotted lines: the paper's, read off its plot; its networks were {scale}."
)


def robustness(section: Section, figures: list[Figure]) -> list[str]:
    """Return heading, figure, how to read it and which curve lies further out; add the figure.

    Nothing where there is no point to draw.
    """
    figure = robustness_curve(section)
    if figure is None:
        return []
    figures.append(figure)
    drawn = embed(figure.caption, figure.path)
    return ["### Robustness curve", drawn, reading(section, figure), *_dominance(section)]


def reading(section: Section, figure: Figure) -> str:
    """Return how to read the figure, as Markdown."""
    content, known = figure.content, terms(section.published)
    assert isinstance(content, RobustnessCurve)
    several = any(point.seeds for panel in content.panels for point in panel.points)
    said = [READ, SEVERAL if several else ONE_SEED]
    if known and any(panel.published for panel in content.panels):
        said.append(PUBLISHED.format(scale=known.scale))
    if count := max((track.left_out for track in tracks(section)), default=0):
        said.append(SOME.format(count=count))
    return " ".join(said)


def _dominance(section: Section) -> list[str]:
    """Return the comparison of all pairs of curves, and whom it leaves out."""
    found = outer(section)
    if found is None:
        return []
    short = [escape(name) for name in found.track.curves if name not in found.track.joined]
    left_out = f"Not compared, as of one strength alone: {', '.join(short)}." if short else ""
    title = f"**Which curve lies further out, under {escape(found.track.title)}**"
    if not found.pairs:
        needed = "Nothing is compared: it takes two defenses of two strengths or more each."
        return [f"{title}\n\n{needed}"]
    said = f"{title}, over the benign accuracies that both cover: paired bootstrap. {left_out}"
    return [said.strip(), dominance_table(found.pairs)]
