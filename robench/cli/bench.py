"""`robench bench`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli.options import (
    data_option,
    device_option,
    given,
    kernel_options,
    parse_pairs,
    precision_option,
    runs_option,
    settings_option,
    with_width,
)
from robench.cli.printing import say
from robench.errors import RunFailed, UserError

if TYPE_CHECKING:
    from robench.benchmarking.contests import Programme
    from robench.benchmarking.ground import Asked, Prepared
    from robench.benchmarking.record import Results
    from robench.benchmarking.trainings import Asked as Timing

TRAINING = ("defense", "dataset", "width", "epochs", "seed")


@click.group(name="bench")
def command() -> None:
    """Measure robench's own parts beside their peers."""


@command.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--front",
    "front_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also measure distance against time; an .svg or .png to draw it in.",
)
@click.option("--contest", "contests", multiple=True, help="Only this contest; repeatable.")
@click.option("--library", "libraries", multiple=True, help="Only this and ours; repeatable.")
@click.option(
    "--contests",
    "programme_file",
    type=click.Path(path_type=Path),
    help="A file of contests. [default: those of robench]",
)
@click.option("--images", type=int, default=256, show_default=True, help="Class-balanced.")
@click.option("--image-seed", type=int, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of a CPU.")
@click.option(
    "--time-limit", "limit", type=float, help="Seconds a contestant; then on fewer images."
)
@click.option("--checkpoint", metavar="RUN", help="Attack this run under --runs, its last weights.")
@click.option("--defense", default="baseline", show_default=True, help="Otherwise: train this.")
@click.option("--dataset", default="cifar10", show_default=True)
@click.option("--width", type=float, default=0.25, show_default=True, help="Of the network.")
@click.option("--epochs", type=int, default=30, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@precision_option("In which our attacks search; verified in float32.")
@data_option()
@runs_option()
@device_option()
def attacks(json_file: Path | None, front_file: Path | None, **options: Any) -> None:
    """Run our attacks and those of other libraries on the same network and images.

    Prints a table a contest. The network: a finished run, or one trained for the purpose and kept
    under --runs. Exits with 1 where a contestant failed.
    """
    import torch

    from robench.benchmarking import conduct, contests, ground, record, table
    from robench.benchmarking.row import Row

    _check(options["checkpoint"], front_file)
    path = options["programme_file"] or contests.BUILT_IN
    wanted = contests.chosen(contests.read(path), options["contests"], options["libraries"])
    field = conduct.field(wanted, front=front_file is not None, asked=options["libraries"])
    for line in field.missing:
        say(line, err=True)
    asked = _asked(options)
    torch.set_num_threads(options["threads"])
    prepared = ground.prepare(asked, bar=False)
    results = record.Results((), (), (), ())
    for one, results in conduct.conduct(field.programme, prepared):
        if one:
            say(table.summary(one) if isinstance(one, Row) else one.reason, err=True)
        if json_file:
            record.write(json_file, results, asked, prepared, field.libraries)
    _print(results, field.programme, prepared)
    if front_file:
        _draw(front_file, results, prepared)
    if results.failures:
        raise RunFailed(f"{len(results.failures)} contestants failed; the lines above say why")


@command.command()
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--defense", "defenses", multiple=True, help="Only this and the baseline; repeatable."
)
@settings_option("A setting of the one --defense, or model.KEY=VALUE, dataset.KEY=VALUE.")
@click.option("--dataset", help="[default: noise of CIFAR-10's size, which takes as long]")
@data_option()
@click.option("--model", default="convpool", show_default=True)
@click.option("--width", type=float, help="Short for --set model.width=...")
@click.option("--batch-size", type=int, default=128, show_default=True)
@precision_option()
@click.option("--steps", type=int, default=20, show_default=True, help="Of a lap.")
@click.option("--rounds", type=int, default=3, show_default=True, help="Laps that count.")
@click.option("--threads", type=click.IntRange(1), help="Of a CPU. [default: all cores]")
@runs_option()
@device_option()
@kernel_options()
def train(json_file: Path | None, defenses: tuple[str, ...], **options: Any) -> None:
    """Time the training of each defense beside the passes that it consists of.

    Prints a row a defense: its time, the least that its passes through the networks take by
    themselves, the ratio to that and to the baseline. Under --runs only decoded images are kept.
    """
    import torch

    from robench import runs
    from robench.benchmarking.cost import Cost, content, cost, costs_table
    from robench.benchmarking.laps import times
    from robench.benchmarking.trainings import images, lines

    if options["threads"]:
        torch.set_num_threads(options["threads"])
    pairs = parse_pairs(options["pairs"])
    own = {key: value for key, value in pairs.items() if "." not in key}
    shared = {key: value for key, value in pairs.items() if "." in key}
    wanted, asked = lines(defenses, own), _timing(shared, options)
    data, epoch = images(asked, wanted[0], synthetic=options["dataset"] is None)
    device, rows = data.train.x.device, list[Cost]()
    for timed in times(wanted, asked, data):
        rows.append(cost(timed, asked, epoch))
        say(costs_table(rows[-1:]).splitlines()[-1], err=True)
        if json_file:
            name = options["dataset"] or "noise"
            runs.write_json(json_file, content(rows, asked, name, device))
    say(costs_table(rows))


def _timing(settings: dict[str, str], options: dict[str, Any]) -> "Timing":
    from robench.benchmarking.trainings import Asked as Timing
    from robench.planning import Request

    names = (
        "data_dir",
        "model",
        "batch_size",
        "precision",
        "runs",
        "device",
        "deterministic",
        "compile",
    )
    request = Request(
        "",
        with_width(settings, options["width"]),
        **({"dataset": options["dataset"]} if options["dataset"] else {}),
        **{name: options[name] for name in names},
    )
    return Timing(request, options["steps"], options["rounds"])


def _check(checkpoint: str | None, front_file: Path | None) -> None:
    if front_file and front_file.suffix not in (".svg", ".png"):
        raise UserError(f"--front {front_file}: name an .svg or a .png")
    idle = [option for name, option in given().items() if name in TRAINING]
    if checkpoint and idle:
        raise UserError(f"--checkpoint {checkpoint} is trained already; leave out {idle[0]}")


def _asked(options: dict[str, Any]) -> "Asked":
    from robench.benchmarking.ground import Asked
    from robench.planning import Request

    request = Request(
        options["defense"],
        with_width({}, options["width"]),
        dataset=options["dataset"],
        data_dir=options["data_dir"],
        epochs=options["epochs"],
        seed=options["seed"],
        rung=0.0,
        runs=options["runs"],
        device=options["device"],
    )
    names = ("checkpoint", "images", "image_seed", "precision", "limit")
    return Asked(request, **{name: options[name] for name in names})


def _print(results: "Results", programme: "Programme", prepared: "Prepared") -> None:
    from robench.benchmarking.table import floors_table, rows_table

    network = prepared.network
    right, images = network["attacked"], network["images"]
    say(f"{network['run']}: {right} of {images} images classified correctly")
    for contest in programme.contests:
        rows = [row for row in results.rows if row.contest == contest.name]
        say(f"\n{contest.title}\n\n{rows_table(rows)}")
    if results.front:
        say(f"\nDistance against time\n\n{rows_table(results.front)}")
    say(f"\nThe fastest passes\n\n{floors_table(results.fastest)}")


def _draw(path: Path, results: "Results", prepared: "Prepared") -> None:
    from robench import files
    from robench.benchmarking.front import front
    from robench.drawing.front import render

    title = f"Distance against time, {prepared.network['run']}"
    content = front(results.front, title)
    files.write(path, render(content, "png" if path.suffix == ".png" else "svg"))
    say(f"drawn in {path}", err=True)
