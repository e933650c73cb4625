"""What the leaderboard's pages say of a section and its standings, in words."""

from collections.abc import Iterable, Mapping, Sequence

from robench import tables
from robench.cost import cost
from robench.markdown import escape
from robench.ranking import Ranking
from robench.records import Run, RunSpec
from robench.standings import Section, Standing

FACTS = ("Data", "Model", "Training", "Trained on")
"""What is shown at once of a section; the rest unfolds."""
VERSIONS = ("robench", "commit", "python", "torch", "torchvision", "adversarial-robustness-toolbox")


def title(section: Section) -> str:
    """Return the section's title, not Markdown: the study's, with data set, model and epochs."""
    spec = section.spec
    scale = f"{spec.dataset}, {spec.model}, {spec.epochs} epochs"
    return f"{section.study.title} ({scale})" if section.study else scale


def facts(section: Section) -> dict[str, str]:
    """Return what all of a section shares, each as Markdown by its name."""
    spec, run = section.spec, section.example
    channels, height, width = run.shape
    trained = [run.environment for run in section.runs]
    evaluated = [result.evaluation.environment for result in section.results]
    found = {
        "Data": f"{_with_settings(spec.dataset, spec.dataset_settings)}, {run.classes} classes, "
        f"{channels} x {height} x {width} (channels, height, width), hash {escape(spec.data[:12])}",
        "Model": _with_settings(spec.model, spec.model_settings),
        "Training": escape(tables.trained(spec)),
        "Validation": _validation(spec),
        "Training runs": f"{len(section.runs)} ({_seeds(section.runs)})",
        "Trained on": _values(trained, "device"),
        "Attacked on": _values(evaluated, "device"),
        "Versions": _versions([*trained, *evaluated]),
        "Protocol": escape(spec.protocol),
    }
    return {name: text for name, text in found.items() if text}


def said(section: Section, ranking: Ranking) -> str:
    """Return what to know before a standing's first table, as Markdown."""
    parts = (chosen(section.spec, ranking.counted.standing), measured(section, ranking))
    return " ".join(part for part in parts if part)


def measured(section: Section, ranking: Ranking) -> str:
    """Return what the numbers of a standing are of, and what their cost is, as Markdown."""
    parts = (_attacked(section, ranking), cost(ranking.counted.standing.rows))
    return " ".join(part for part in parts if part)


def chosen(spec: RunSpec, standing: Standing) -> str:
    """Return how checkpoints were matched, as Markdown."""
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
    sources = [run for run in section.sources if run.key in standing.sources]
    if sources:
        sentences.append(_made_on(sorted(sources, key=lambda run: run.spec.seed)))
    return " ".join(sentences)


def _made_on(sources: Sequence[Run]) -> str:
    """Say what black-box images were made on: networks that differ in seed alone."""
    seeds = [f"{run.spec.seed} (accuracy {run.final.accuracy:.4f})" for run in sources]
    each = ", each row's on one of them" if len(seeds) > 1 else ""
    listed = f"{escape(sources[0].variant)} of seed {' and '.join(seeds)}"
    return f"Black-box images were made on {listed}{each}."


def _ranked_by(ranking: Ranking) -> str:
    """Say which attacks the envelope is over, and what a rank says."""
    counted = ranking.counted
    if not counted.shared:
        return "Nothing is ranked: no attack was run on more than half of the rows."
    over = ", ".join(counted.names(counted.shared))
    own = any(way.condition.adaptive for row in ranking.rows for way in counted.ways(row))
    own_too = ", and on its own defense each attack made for it" if own else ""
    names = f"The envelope is the nearest error that any of these attacks found: {over}{own_too}."
    if all(entry.rank is None for entry in ranking.entries):
        return f"{escape(names)} Nothing is ranked; the last column says why."
    return (
        f"Ranked by rho_correct of the envelope: 1 and the number of defenses that the paired "
        f"bootstrap puts clearly ahead. {escape(names)}"
    )


def commands(section: Section) -> list[str]:
    """Return the distinct commands: the study's, those of trainings and of evaluations."""
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
