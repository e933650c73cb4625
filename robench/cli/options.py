"""Options that several commands share."""

import shlex
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robench.cli.completion import plugins
from robench.cli.printing import QUIET
from robench.cli.stores import RUNS, RunsFolder
from robench.errors import UserError
from robench.plugins import DATASETS, DEFENSES, MODELS

if TYPE_CHECKING:
    from robench.records import Setting

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def runs_option() -> Decorator:
    """Add `--runs`."""
    return click.option(
        "--runs",
        type=RunsFolder(),
        default=RUNS,
        show_default=True,
        envvar="ROBENCH_RUNS",
        help="Folder of trained runs and their evaluations, or s3://BUCKET/PREFIX.",
    )


def out_option(default: Path | None = Path("leaderboard"), text: str | None = None) -> Decorator:
    """Add `--out`, a leaderboard folder to read; `text` says what for."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=default,
        show_default=default is not None,
        help=text or "Leaderboard folder, as `robench report --out` wrote it.",
    )


def records_of(out: Path, runs: Path | None = None) -> Path:
    """Return the folder of records to read: `runs` where it is given, else the leaderboard's."""
    from robench.leaderboard import RECORDS

    records = out / RECORDS if runs is None else runs
    if not records.is_dir():
        option = "--out" if runs is None else "--runs"
        raise UserError(f"no records in {records}; write them (robench report) or say {option}")
    return records


def data_option() -> Decorator:
    """Add `--data-dir`."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="ROBENCH_DATA_DIR",
        help="Where the data set lies. [default: RUNS/.cache, downloaded if missing]",
    )


def device_option() -> Decorator:
    """Add `--device`."""
    return click.option(
        "--device",
        default="auto",
        show_default=True,
        envvar="ROBENCH_DEVICE",
        help="auto, cpu, cuda, cuda:1, ...",
    )


def quiet_option() -> Decorator:
    """Add `--quiet`, which `robench.cli.printing.say` obeys."""

    def remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        context.meta[QUIET] = value

    return click.option(
        *("--quiet", "-q"),
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=remember,
        envvar="ROBENCH_QUIET",
        help="Print errors and warnings alone, and no bars.",
    )


def json_option(text: str) -> Decorator:
    """Add `--json`; `text` says what is printed so."""
    return click.option("--json", "as_json", is_flag=True, help=text)


def defense_option(*, multiple: bool = False) -> Decorator:
    """Add `--defense`, of which there must be one, or `defenses`, any number."""
    return click.option(
        *("--defense", "defenses" if multiple else "defense"),
        required=not multiple,
        multiple=multiple,
        shell_complete=plugins(DEFENSES),
        help=f"Name, FILE.py[:Class] or module:Class{'; repeatable' if multiple else ''}.",
    )


def again_option() -> Decorator:
    """Add `--again`."""
    return click.option(
        "--again",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Of a submission with weights: repeat its attacks on so many images, and its audits.",
    )


def precision_option(text: str | None = None) -> Decorator:
    """Add `--precision`; `text` says of what."""
    return click.option(
        "--precision",
        type=click.Choice(["auto", "bf16", "float32"]),
        default="auto",
        show_default=True,
        help=text,
    )


def kernel_options() -> Decorator:
    """Add `--deterministic` and `--compile`."""
    repeat = click.option(
        "--deterministic", is_flag=True, help="The same bytes from the same seed on a GPU too."
    )
    faster = click.option("--compile", is_flag=True, help="Let torch compile, if that is faster.")
    return lambda function: repeat(faster(function))


def settings_option(text: str) -> Decorator:
    """Add `--set KEY=VALUE`, repeatable."""
    return click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help=text)


def parse_pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    """Split KEY=VALUE words; UserError for a key with two values."""
    parsed: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(f"--set {pair}: not of the form KEY=VALUE")
        parsed.setdefault(key, []).append(value)
    for key, values in parsed.items():
        if len(set(values)) > 1:
            raise UserError(
                f"--set {key} stands twice: {', '.join(values)}; give one{_both(key, values)}"
            )
    return {key: values[0] for key, values in parsed.items()}


def _both(key: str, values: list[str]) -> str:
    """Return how a training would take all values of a setting; empty of other commands."""
    training = click.get_current_context().info_name == "train"
    words = shlex.quote(f"{key}={','.join(values)}")
    return f", or train both: robench sweep --set {words}" if training else ""


def parse_lists(pairs: tuple[str, ...]) -> dict[str, list[str]]:
    """Split KEY=VALUE,VALUE,... words; the values of one key add up."""
    parsed: dict[str, list[str]] = {}
    for pair in pairs:
        for key, text in parse_pairs((pair,)).items():
            values = [value.strip() for value in text.split(",")]
            if not all(values):
                raise UserError(f"--set {pair}: an empty value; write {key}=VALUE,VALUE,...")
            parsed.setdefault(key, []).extend(values)
    return parsed


def training_options() -> Decorator:
    """Add what is asked of a training beside its defense and settings: `Request`'s fields.

    `--width` comes as an argument of its own; see `with_width`.
    """
    options: list[Decorator] = [
        click.option(
            "--dataset", default="cifar10", show_default=True, shell_complete=plugins(DATASETS)
        ),
        data_option(),
        click.option(
            "--validation", type=int, help="Images held out to choose by. [default: a tenth]"
        ),
        click.option(
            "--model", default="convpool", show_default=True, shell_complete=plugins(MODELS)
        ),
        click.option("--width", type=float, help="Short for --set model.width=..."),
        click.option("--epochs", type=int, default=200, show_default=True),
        click.option("--batch-size", type=int, default=128, show_default=True),
        click.option("--lr", "learning_rate", type=float, default=5e-4, show_default=True),
        click.option("--ema", type=float, default=0.998, show_default=True, help="Decay per step."),
        precision_option(),
        click.option(
            "--rung",
            type=float,
            default=0.005,
            show_default=True,
            help="Accuracy between checkpoints.",
        ),
        click.option("--seed", type=int, default=0, show_default=True),
        runs_option(),
        device_option(),
        kernel_options(),
    ]

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def brought_options() -> Decorator:
    """Add what is asked of a network that robench did not train: `Brought`'s fields."""
    options: list[Decorator] = [
        click.option("--model", help="Your own: FILE.py:FUNCTION, module:function or ZOO:NAME."),
        click.option(
            "--model-file",
            "file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Its weights: safetensors, or .pt/.pth, of which tensors alone are read.",
        ),
        click.option("--entry", default="", help="Of a file with several networks, which."),
        click.option("--name", default="", help="What tables call it. [default: the file's name]"),
        click.option("--mean", callback=_numbers, help="Its normalisation, of images in [0, 1]."),
        click.option("--std", callback=_numbers, help="One value a channel: 0.247,0.243,0.262."),
        click.option(
            "--as-is",
            is_flag=True,
            help="Attack it even where another input range suits it.",
        ),
    ]

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _numbers(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[float, ...]:
    """Split NUMBER,NUMBER,... into numbers."""
    try:
        return tuple(float(one) for one in value.split(",")) if value else ()
    except ValueError:
        raise UserError(f"--{option.name} {value} is not of the form NUMBER,NUMBER,...") from None


def with_width(settings: "Mapping[str, Setting]", width: float | None) -> "dict[str, Setting]":
    """Return the settings with `--width` as the model's; UserError where they have another."""
    if width is None:
        return dict(settings)
    if (other := settings.get("model.width", str(width))) != str(width):
        raise UserError(f"both --width {width:g} and --set model.width={other}; say one of them")
    return {**settings, "model.width": str(width)}


def given(*, but: Collection[str] = ()) -> dict[str, str]:
    """Return the options of this call that stand on the command line: by parameter, as typed."""
    context = click.get_current_context()
    return {
        name: max(parameter.opts, key=len)
        for parameter in context.command.params
        if (name := parameter.name) is not None
        and name not in but
        and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
