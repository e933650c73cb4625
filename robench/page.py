"""The leaderboard's README: sections, tables, figures, commands and how to read them."""

from collections.abc import Mapping, Sequence

from robench import tables
from robench.archive import Archive
from robench.at_a_glance import at_a_glance
from robench.beside import beside
from robench.beside_table import beside_part
from robench.comparison_tables import differences_table
from robench.figures import Figure, accuracy_norm
from robench.footnotes import footnotes
from robench.imported.part import imported_parts
from robench.legible import left_out, pairs_of
from robench.markdown import block, details, embed, escape
from robench.paper_table import paper
from robench.part_table import on_part
from robench.ranking import Ranking
from robench.remarks import remarks
from robench.robustness_text import robustness
from robench.section_text import FACTS, chosen, commands, facts, said, title
from robench.standings import Section
from robench.summary_table import summary

TITLE = """# Leaderboard

Adversarial-training defenses compared at matched benign accuracy. `robench report` writes this page
from the records in `records/`; do not edit it. `robench report --check` tells whether it is up to
date."""

EMPTY = """No records yet. Train, match and attack, then write the page:

```sh
robench train --defense baseline
robench eval --matched-accuracy 0.70
robench report
```"""

READING = """## How to read this page

- Networks are compared at the same **benign accuracy**, because robustness can be bought with it. A
  row stands for one defense at the strength, or the moment of training, that reached the target.
- **Ranks** are by rho_correct of the **envelope**: for each image, the nearest error that any of
  the attacks found. A rank is 1 and the number of defenses that are clearly ahead in a paired
  bootstrap over images and seeds; who ties with whom stands in the table of differences, with the
  difference in benign accuracy, which a small lead may come from. A defense is not ranked before it
  was put to every attack that most rows were put to, fooled on 99.5 % of its correctly classified
  images, and audited without a failure.
- Higher is better for accuracies and norms. The success rate is the attacks': it should reach
  nearly 1. Brackets hold 95 % confidence intervals; in the first table, over test images and
  training seeds, and values are means over seeds. With one seed, and in the paper's columns, they
  are over test images alone and say nothing about how much another training seed would change.
- **rho** is the mean L2 norm, on images in [0, 1], that a minimal attack needed; misclassified
  images count as 0 and failures are left out (the paper's Eq. 6). **rho_correct** is the same over
  correctly classified images alone. In the **median** a failure counts as infinity. Read all three
  with the **success rate**, which is over correctly classified images.
- **Accuracy white-box** and **black-box** are the accuracy on adversarial images made on the
  network itself, and on one independently trained baseline.
- Formulas: `docs/metrics.md`. Matching: `docs/matching.md`."""
DIFFERENCES = "Paired differences in rho_correct of the envelope"


def page(
    archive: Archive,
    ranked: Sequence[tuple[Section, Sequence[Ranking]]],
    notes: str,
    reproductions: Sequence[tuple[str, str]] = (),
) -> tuple[str, list[Figure]]:
    """Return the README and the figures it shows.

    `ranked`: all sections, each with the rankings of its standings, as `ranking.ranked` has them;
    `notes`: Markdown to open it with; `reproductions`: title and path of pages to point to.
    """
    parts = [TITLE, *([notes.strip()] if notes.strip() else [])]
    figures: list[Figure] = []
    sections = [section for section, _ in ranked]
    if not sections and not archive.imported:
        return "\n\n".join([*parts, EMPTY]) + "\n", figures
    if reproductions:
        listed = "\n".join(f"- [{escape(title)}]({path})" for title, path in reproductions)
        parts.append(f"## Tables and figures of the paper\n\n{listed}")
    for section, rankings in ranked:
        if rankings:
            parts += _section(section, rankings, figures)
    brought, count = imported_parts(archive, sections, figures)
    parts += brought
    left = len(archive.results) - sum(len(section.results) for section in sections) - count
    if left:
        parts.append(f"Left out: {left} evaluations of weights that no recorded run holds.")
    return "\n\n".join([*parts, READING]) + "\n", figures


def _section(section: Section, rankings: Sequence[Ranking], figures: list[Figure]) -> list[str]:
    first = facts(section)
    more = {name: first.pop(name) for name in [*first] if name not in FACTS}
    parts = [f"## {escape(title(section))}", _listed(first)]
    parts.append(details(", ".join(more), _listed(more)))
    if figure := at_a_glance(section, rankings):
        figures.append(figure)
        parts.append(embed(figure.caption, figure.path))
    for ranking in rankings:
        parts += _standing(section, ranking, figures)
    parts += robustness(section, figures)
    found = beside(section, rankings)
    parts += beside_part(found) if found else []
    return [*parts, details("Commands", block(commands(section)))]


def _listed(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- **{name}:** {text}" for name, text in facts.items())


def _standing(section: Section, ranking: Ranking, figures: list[Figure]) -> list[str]:
    standing = ranking.counted.standing
    parts = [f"### Matched at benign accuracy {tables.target(standing.target)}"]
    parts.append(said(section, ranking))
    parts += [summary(ranking), *footnotes(ranking), *on_part(ranking)]
    figure = accuracy_norm(section, ranking)
    if figure is not None:
        figures.append(figure)
        parts.append(embed(figure.caption, figure.path))
    return [*parts, *_unfolding(section, ranking)]


def _unfolding(section: Section, ranking: Ranking) -> list[str]:
    """Return what stands behind the summary: the paper's columns, the differences, the audits."""
    standing, parts = ranking.counted.standing, []
    if standing.rows:
        columns = f"{chosen(section.spec, standing)}\n\n{paper(ranking)}"
        parts.append(details("Every attack on every network, in the paper's columns", columns))
    if ranking.differences:
        missing = left_out(ranking.differences)
        shown = differences_table(pairs_of(ranking.differences, ranking.best_first))
        name = f"{DIFFERENCES}, {'some' if missing else 'all'} pairs"
        parts.append(details(name, "\n\n".join([missing, shown] if missing else [shown])))
    if found := remarks(ranking):
        parts.append(details(f"What the audits remark ({len(found)})", "\n".join(found)))
    return parts
