"""The leaderboard's README: sections, tables, figures, commands and how to read them."""

from collections.abc import Iterable, Mapping, Sequence

from robench import tables
from robench.archive import Archive
from robench.at_a_glance import at_a_glance
from robench.beside import beside
from robench.beside_table import beside_part
from robench.comparison_tables import differences_table
from robench.cost import cost
from robench.figures import Figure, accuracy_norm
from robench.footnotes import footnotes
from robench.markdown import block, details, embed, escape
from robench.paper_table import paper
from robench.part_table import on_part
from robench.ranking import Ranking, rank
from robench.records import Audit, Run, RunSpec
from robench.remarks import remarks
from robench.robustness_text import robustness
from robench.standings import Section, Standing
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
  bootstrap over images and seeds; equal ranks are ties. A defense is not ranked before it was put
  to every attack that most rows were put to, fooled on 99.5 % of its correctly classified images,
  and audited without a failure.
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

FACTS = ("Data", "Model", "Training", "Trained on")
"""What is shown at once of a section; the rest unfolds."""
VERSIONS = ("robench", "commit", "python", "torch", "torchvision", "adversarial-robustness-toolbox")


def page(
    archive: Archive,
    sections: Sequence[Section],
    notes: str,
    reproductions: Sequence[tuple[str, str]] = (),
) -> tuple[str, list[Figure]]:
    """Return the README and the figures it shows.

    `notes`: Markdown to open it with; `reproductions`: title and path of pages to point to.
    """
    parts = [TITLE, *([notes.strip()] if notes.strip() else [])]
    figures: list[Figure] = []
    if not sections:
        return "\n\n".join([*parts, EMPTY]) + "\n", figures
    if reproductions:
        listed = "\n".join(f"- [{escape(title)}]({path})" for title, path in reproductions)
        parts.append(f"## Tables and figures of the paper\n\n{listed}")
    for section in sections:
        if section.standings:
            parts += _section(section, archive.audits, figures)
    left = len(archive.results) - sum(len(section.results) for section in sections)
    if left:
        parts.append(f"Left out: {left} evaluations of weights that no recorded run holds.")
    return "\n\n".join([*parts, READING]) + "\n", figures


def _section(section: Section, audits: Mapping[str, Audit], figures: list[Figure]) -> list[str]:
    spec = section.spec
    scale = f"{spec.dataset}, {spec.model}, {spec.epochs} epochs"
    title = f"{section.study.title} ({scale})" if section.study else scale
    facts = _facts(section)
    more = {name: facts.pop(name) for name in [*facts] if name not in FACTS}
    parts = [f"## {escape(title)}", _listed(facts), details(", ".join(more), _listed(more))]
    rankings = [rank(standing, audits) for standing in section.standings]
    if figure := at_a_glance(section, rankings):
        figures.append(figure)
        parts.append(embed(figure.caption, figure.path))
    for ranking in rankings:
        parts += _standing(section, ranking, figures)
    parts += robustness(section, figures)
    found = beside(section, rankings)
    parts += beside_part(found) if found else []
    return [*parts, details("Commands", block(_commands(section)))]


def _listed(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- **{name}:** {text}" for name, text in facts.items())


def _facts(section: Section) -> dict[str, str]:
    spec, run = section.spec, section.example
    channels, height, width = run.shape
    trained = [run.environment for run in section.runs]
    attacked = [result.evaluation.environment for result in section.results]
    facts = {
        "Data": f"{_with_settings(spec.dataset, spec.dataset_settings)}, {run.classes} classes, "
        f"{channels} x {height} x {width} (channels, height, width), hash {escape(spec.data[:12])}",
        "Model": _with_settings(spec.model, spec.model_settings),
        "Training": escape(tables.trained(spec)),
        "Validation": _validation(spec),
        "Training runs": f"{len(section.runs)} ({_seeds(section.runs)})",
        "Trained on": _values(trained, "device"),
        "Attacked on": _values(attacked, "device"),
        "Versions": _versions([*trained, *attacked]),
        "Protocol": escape(spec.protocol),
    }
    return {name: text for name, text in facts.items() if text}


def _standing(section: Section, ranking: Ranking, figures: list[Figure]) -> list[str]:
    standing = ranking.counted.standing
    parts = [f"### Matched at benign accuracy {tables.target(standing.target)}"]
    said = [_chosen(section.spec, standing), _attacked(section, ranking), cost(standing.rows)]
    parts.append(" ".join(one for one in said if one))
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
        columns = f"{_chosen(section.spec, standing)}\n\n{paper(ranking)}"
        parts.append(details("Every attack on every network, in the paper's columns", columns))
    if ranking.differences:
        title = "Paired differences in rho_correct of the envelope, all pairs"
        parts.append(details(title, differences_table(ranking.differences)))
    if found := remarks(ranking):
        title = f"What the audits remark ({len(found)})"
        parts.append(details(title, "\n".join(found)))
    return parts


def _chosen(spec: RunSpec, standing: Standing) -> str:
    within = f"within {standing.tolerance:g} of {tables.target(standing.target)}"
    if spec.validation == 0:
        return f"**Matched on TEST accuracy** ({within}; no validation images, as in the paper)."
    return f"Matched on validation accuracy, {within}."


def _attacked(section: Section, ranking: Ranking) -> str:
    """Say what the numbers are of: images, what ranks, the black-box source."""
    standing = ranking.counted.standing
    if not standing.count:
        return "Nothing attacked yet."
    sentences = [f"All other numbers are of the same {standing.count:,} test images."]
    if any(row.parts for row in standing.rows):
        sentences[0] = sentences[0][:-1] + ", or of the part of them that a line counts."
    sentences.append(_ranked_by(ranking))
    source = next((run for run in section.sources if run.key == standing.source), None)
    if source is not None:
        sentences.append(
            f"Black-box images were made on {escape(source.variant)} of seed {source.spec.seed}, "
            f"accuracy {source.final.accuracy:.4f}."
        )
    return " ".join(sentences)


def _ranked_by(ranking: Ranking) -> str:
    """Say which attacks the envelope is over, and what a rank says."""
    counted = ranking.counted
    if not counted.shared:
        return "Nothing is ranked: no attack was run on more than half of the rows."
    over = ", ".join(counted.names(counted.shared))
    own = any(way.condition.adaptive for row in ranking.rows for way in counted.ways(row))
    own_too = ", and on its own defense each attack made for it" if own else ""
    said = f"The envelope is the nearest error that any of these attacks found: {over}{own_too}."
    if all(entry.rank is None for entry in ranking.entries):
        return f"{escape(said)} Nothing is ranked; the last column says why."
    return (
        f"Ranked by rho_correct of the envelope; equal ranks are ties, which the paired bootstrap "
        f"does not tell apart. {escape(said)}"
    )


def _commands(section: Section) -> list[str]:
    """Return the distinct commands: the study's, trainings, evaluations."""
    everything = [section.study.environment] if section.study else []
    everything += [run.environment for run in (*section.runs, *section.sources)]
    everything += [result.evaluation.environment for result in section.results]
    return list(dict.fromkeys(one["command"] for one in everything if one.get("command")))


def _validation(spec: RunSpec) -> str:
    if spec.validation:
        return f"{spec.validation:,} training images held out to choose checkpoints by"
    return "none: checkpoints are **matched on TEST accuracy**, as in the paper"


def _seeds(runs: Sequence[Run]) -> str:
    seeds = sorted({run.spec.seed for run in runs})
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _with_settings(name: str, values: Mapping[str, bool | int | float | str]) -> str:
    return escape(f"{name} ({tables.settings(values)})" if values else name)


def _values(environments: Iterable[Mapping[str, str]], name: str) -> str:
    return escape("; ".join(sorted({one[name] for one in environments if one.get(name)})))


def _versions(environments: Sequence[Mapping[str, str]]) -> str:
    found = {name: _values(environments, name).replace("; ", " and ") for name in VERSIONS}
    return ", ".join(f"{name} {text}" for name, text in found.items() if text)
