"""The Python interface: the verbs of the command line, records as pandas frames."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robench import archive, leaderboard
from robench.archive import Archive
from robench.campaign import Campaign, Event, conduct
from robench.errors import RunFailed
from robench.imported.bringing import Brought
from robench.imported.examining import examine
from robench.imported.record import Imported
from robench.planning import Request, plan
from robench.records import Evaluation, Run, Setting
from robench.runs import read_run, read_runs

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

_CHECKPOINT_COLUMNS = [
    *("run", "defense", "variant", "seed", "dataset", "step", "epoch", "accuracy", "final"),
    "seconds_per_epoch",
]
_EVALUATION_COLUMNS = [
    *("key", "run", "defense", "variant", "seed", "step", "attack", "engine", "precision"),
    *("white_box", "images"),
]
_METRICS = ("benign", "accuracy", "success", "rho", "rho_correct", "median")


def train(defense: str, *, progress: bool = False, **request: Any) -> Run:
    """Train one defense and return the finished run; one that is finished is read.

    `defense`: a plugin's name, `FILE.py[:Class]` or `module:Class`. `request`: the fields of
    `robench.planning.Request`: `settings` (`{"c_l": 50, "model.width": 0.5}`), `dataset`,
    `data_dir`, `epochs`, `seed`, `runs` and so on. `progress` shows a bar. Raises
    `robench.UserError` for what cannot be had and `robench.RunFailed` where training diverges.
    """
    planned = plan(Request(defense, **_with_paths(request)))
    for _ in planned.train(bar=progress):
        pass
    return read_run(planned.root / planned.spec.key)


def evaluate(
    matched_accuracy: "float | Sequence[float] | str | nn.Module",
    *,
    progress: bool = False,
    **campaign: Any,
) -> "pd.DataFrame":
    """Match every trained defense at benign accuracies, attack the matches, return the results.

    Of a network of one's own instead, or what builds it: attack it at its own benign accuracy (see
    docs/own-models.md). `campaign` then holds `dataset` and may hold `model_file`, `entry`, `name`,
    `mean`, `std` (of images in [0, 1], one value a channel) and `as_is`.

    `matched_accuracy`: fractions in (0, 1), of the validation images. `campaign`: the other fields
    of `robench.campaign.Campaign`: `runs`, `attacks`, `settings` (`{"cw.steps": 50}`), `images`,
    `engine` (`art`: ART's own attacks) and so on. Returns the frame of `evaluations`, restricted
    to the runs that matched. Raises `robench.UserError` for what cannot be had and
    `robench.RunFailed` where nothing matches.
    """
    asked = _with_paths(campaign)
    events: Iterator[tuple[Event | Imported, bool]]
    if isinstance(matched_accuracy, str) or callable(matched_accuracy):
        brought = _taken(asked, model=matched_accuracy)
        events = examine(brought, wanted := Campaign(targets=(), **asked), bar=progress)
    else:
        given: Any = matched_accuracy
        targets = (given,) if isinstance(given, int | float) else tuple(given)
        events = conduct(wanted := Campaign(targets=targets, **asked), bar=progress)
    keys = {event.key for event, _ in events if isinstance(event, Evaluation)}
    frame = evaluations(wanted.runs)
    return frame[frame["key"].isin(keys)].reset_index(drop=True)


def report(
    runs: Path | str = "runs",
    out: Path | str = "leaderboard",
    *,
    html: Path | str | None = None,
) -> Path:
    """Merge the records under `runs` into the folder `out`, write its page, return the page.

    `html`: a folder for the page in HTML, as `index.html`, too. Raises `robench.UserError` for a
    record that cannot be read, and for `html` without the extra `robench[html]`.
    """
    leaderboard.publish(_place(runs), Path(out))
    leaderboard.write(Path(out))
    if html is not None:
        from robench.site import writing  # seaborn takes a second to import

        writing.write(Path(out), Path(html))
    return Path(out) / leaderboard.README


def study(
    file: Path | str,
    runs: Path | str = "runs",
    out: Path | str = "leaderboard",
    *,
    data_dir: Path | str | None = None,
    device: str = "auto",
    progress: bool = False,
) -> Path:
    """Train, evaluate and audit what a run file asks for, write the page and return it.

    `file`: docs/studies.md. What is there already under `runs` is skipped. Raises
    `robench.UserError` for what cannot be had, before anything is trained, and
    `robench.RunFailed`, when the page is written, for runs that failed and targets that nothing
    matches.
    """
    from robench.studies import run_file
    from robench.studies.conducting import conduct
    from robench.studies.events import Missed
    from robench.sweeping import Ended

    images = None if data_dir is None else Path(data_dir)
    wanted = run_file.read(Path(file), _place(runs), images, device)
    reasons = [
        event.reason
        for event in conduct(wanted, bar=progress)
        if isinstance(event, Missed) or (isinstance(event, Ended) and event.state == "failed")
    ]
    page = report(runs, out)
    if reasons:
        raise RunFailed(f"{'; '.join(reasons)} (the page is {page})")
    return page


def reproduce(
    *recipes: str, out: Path | str = "reproduction", progress: bool = False, **asked: Any
) -> list[Path]:
    """Carry out recipes, write their pages into the folder `out` and return the pages.

    `recipes`: `figure5`, `table3` and so on, or a `FILE.yaml`. `asked`: the other fields of
    `robench.reproduction.conducting.Asked`: `scale`, `changes` (`{"epochs": ["8"]}`), `dataset`,
    `runs` and so on. Raises `robench.UserError` for what cannot be had; a run that fails is told
    of on the page.
    """
    from robench.reproduction.conducting import Asked
    from robench.reproduction.conducting import reproduce as conducted
    from robench.reproduction.record import Reproduction

    wanted = Asked(recipes=recipes, **_with_paths(asked))
    events = [event for event, _ in conducted(wanted, bar=progress)]
    leaderboard.publish(wanted.runs, Path(out))
    leaderboard.write(Path(out))
    made = [event for event in events if isinstance(event, Reproduction)]
    return [Path(out) / leaderboard.page_of(one) for one in made]


def checkpoints(runs: Path | str = "runs") -> "pd.DataFrame":
    """Return one row a kept checkpoint of every finished run under `runs`.

    Columns: run, defense, variant, seed, dataset, step, epoch, accuracy (fraction, on validation
    images), final, and the run's seconds_per_epoch.
    """
    import pandas as pd

    rows = [
        {
            "run": run.key,
            "defense": run.spec.defense,
            "variant": run.variant,
            "seed": run.spec.seed,
            "dataset": run.spec.dataset,
            "step": kept.step,
            "epoch": kept.epoch,
            "accuracy": kept.accuracy,
            "final": kept.final,
            "seconds_per_epoch": run.seconds_per_epoch,
        }
        for run in read_runs(_place(runs))
        for kept in run.checkpoints
    ]
    return pd.DataFrame(rows, columns=_CHECKPOINT_COLUMNS)


def evaluations(runs: Path | str = "runs") -> "pd.DataFrame":
    """Return one row an evaluation under `runs` (or under a leaderboard's `records`).

    Columns: key, run, defense, variant, seed, step, attack, engine (robench, or art: ART's own
    implementation), precision (what the attack searched in), white_box, images (their number),
    and the metrics of docs/metrics.md, each with `_low` and `_high` for its 95 % interval: benign,
    accuracy, success (fractions), rho, rho_correct, median (L2 norms on [0, 1] images).
    """
    import pandas as pd

    found = archive.read(_place(runs))
    columns = [*_EVALUATION_COLUMNS, *(m + end for m in _METRICS for end in ("", "_low", "_high"))]
    return pd.DataFrame(_evaluation_rows(found), columns=columns)


def _taken(asked: dict[str, Any], model: "str | nn.Module") -> Brought:
    """Return what is asked of a network of one's own, taken out of all that is asked."""
    own = {"file": asked.pop("model_file")} if "model_file" in asked else {}
    names = asked.keys() & {"entry", "name", "mean", "std", "as_is"}
    return Brought(model, **own, **{name: asked.pop(name) for name in names})


def _with_paths(request: dict[str, Any]) -> dict[str, Any]:
    """Let folders be given as text too, and the runs folder as the URL of a store."""
    paths = {
        name: Path(request[name])
        for name in ("data_dir", "model_file")
        if request.get(name) is not None
    }
    runs = {"runs": _place(request["runs"])} if request.get("runs") is not None else {}
    return {**request, **paths, **runs}


def _place(runs: Path | str) -> Path:
    """Return a runs folder; of the URL of a store, what mirrors it, up to date but for weights."""
    if isinstance(runs, Path) or "://" not in runs:
        return Path(runs)
    from robench import mirrors
    from robench.store.opening import placed

    root = placed(runs)
    mirrors.refresh(root)
    return root


def _evaluation_rows(found: Archive) -> list[dict[str, Setting]]:
    rows = []
    for result in found.results:
        record = result.evaluation
        run, brought = found.runs.get(record.run), found.imported.get(record.run)
        row: dict[str, Any] = {
            "key": record.key,
            "run": record.run,
            "defense": run.spec.defense if run else "",
            "variant": run.variant if run else brought.name if brought else "",
            "seed": run.spec.seed if run else -1,
            "step": record.step,
            "attack": record.attack,
            "engine": record.engine,
            "precision": record.precision,
            "white_box": record.white_box,
            "images": record.count,
        }
        for name, interval in result.numbers.items():
            row |= {
                name: interval.value,
                f"{name}_low": interval.low,
                f"{name}_high": interval.high,
            }
        rows.append(row)
    return rows
