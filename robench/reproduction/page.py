"""A reproduction as a page: the paper's claim, our figure or table, and how the two compare."""

from collections.abc import Iterable, Sequence

from robench import tables
from robench.archive import Archive, Result
from robench.figures import Figure
from robench.markdown import block, escape
from robench.published import NONE
from robench.records import Match, Run
from robench.reproduction import drawn, measured
from robench.reproduction.drawn import Served
from robench.reproduction.record import Reproduction, Shown

FOLDER = "paper"
"""Where these pages lie in the leaderboard folder."""
MISSING = "The records of this part are not here; run the command below again."


def path(made: Reproduction) -> str:
    """Return where the page lies in the leaderboard folder."""
    return f"{FOLDER}/{made.name}.md"


def page(made: Reproduction, archive: Archive) -> tuple[str, list[Figure]]:
    """Return the Markdown of a reproduction and the figures it shows."""
    parts = [f"# {escape(made.title)}", _facts(made, archive)]
    figures: list[Figure] = []
    for place, shown in enumerate(made.shown, 1):
        if shown.title:
            parts.append(f"## {escape(shown.title)}")
        parts += _part(made, shown, archive, place, figures)
    if made.failures:
        listed = "\n".join(f"- {escape(line)}" for line in made.failures)
        parts.append(f"## Not trained\n\n{listed}")
    commands = _commands(made, archive)
    if commands:
        parts.append("## Commands\n\n" + block(commands))
    return "\n\n".join(parts) + "\n", figures


def scale_of(made: Reproduction, archive: Archive) -> str:
    """Return, in a line, the scale at which something was reproduced: what captions state."""
    runs, results = _runs(made, archive), _results(made, archive)
    if not runs or not results:
        return made.scale
    spec = runs[0].spec
    widths = _each(run.spec.model_settings.get("width", "") for run in runs)
    count = _each(f"{result.evaluation.count:,}" for result in results)
    seeds = sorted({run.spec.seed for run in runs})
    parts = [f"width {widths}"] if widths else []
    parts += [f"{spec.epochs} epochs", f"{count} test images"]
    parts += [f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"]
    return f"{spec.dataset}, scale {made.scale}: {', '.join(parts)}"


def _part(
    made: Reproduction, shown: Shown, archive: Archive, place: int, figures: list[Figure]
) -> list[str]:
    served = drawn.serve(shown, archive)
    parts: list[str] = []
    title = f"{shown.title or made.title} ({scale_of(made, archive)})"
    content = drawn.content(made, shown, archive, title)
    if content is not None:
        figure = Figure(f"figures/{made.name}-{place}.svg", title, content)
        figures.append(figure)
        parts += [
            f"![{escape(title)}](../{figure.path})",
            f"*{_caption(made, shown, served, title)}*",
        ]
    elif not served and shown.cells:
        parts.append(MISSING)
    parts += measured.tables_of(made, shown, served)
    if shown.unmatched:
        parts.append("\n".join(f"- {_unmatched(match)}" for match in shown.unmatched))
    return parts


def _caption(made: Reproduction, shown: Shown, served: Sequence[Served], title: str) -> str:
    said = f"{escape(title)}. Bars and bands: 95 % intervals over images"
    if len({one.run.spec.seed for one in served}) > 1:
        said += "; of several seeds, the mean, from the least to the greatest"
    if shown.published and made.published != NONE:
        said += f". Hollow markers: published for {made.published}, read off the paper's plot"
    return said + "."


def _unmatched(match: Match) -> str:
    said = f"{match.variant} seed {match.seed} reached no match at {tables.target(match.target)}"
    return escape(f"{said}: nearest {match.accuracy:.4f}; {match.advice}")


def _facts(made: Reproduction, archive: Archive) -> str:
    runs, results = _runs(made, archive), _results(made, archive)
    trained = _each(run.environment.get("device", "") for run in runs)
    attacked = _each(result.evaluation.environment.get("device", "") for result in results)
    facts = {
        "In the paper": f"{made.section}. {made.claim}",
        "Note": made.note,
        "Here": scale_of(made, archive),
        "Data": _each(f"{run.spec.dataset}, hash {run.spec.data[:12]}" for run in runs),
        "Trained on": trained,
        "Attacked on": attacked,
        "Protocol": _each(run.spec.protocol for run in runs),
    }
    return "\n".join(f"- **{name}:** {escape(text)}" for name, text in facts.items() if text)


def _runs(made: Reproduction, archive: Archive) -> list[Run]:
    keys = dict.fromkeys(cell.run for shown in made.shown for cell in shown.cells)
    return [archive.runs[key] for key in keys if key in archive.runs]


def _results(made: Reproduction, archive: Archive) -> list[Result]:
    wanted = {cell.evaluation for shown in made.shown for cell in shown.cells}
    return [one for one in archive.results if one.evaluation.key in wanted]


def _each(values: Iterable[object]) -> str:
    """List distinct values in order."""
    return ", ".join(dict.fromkeys(str(value) for value in values if value not in ("", None)))


def _commands(made: Reproduction, archive: Archive) -> Sequence[str]:
    """Return the command of the page, and those that made its runs where they differ."""
    runs = _runs(made, archive)
    everything = [made.environment, *(run.environment for run in runs)]
    everything += [result.evaluation.environment for result in _results(made, archive)]
    return list(dict.fromkeys(one["command"] for one in everything if one.get("command")))
