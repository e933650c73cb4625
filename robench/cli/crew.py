"""Options that say who does the work."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from robench.cli.options import Decorator

if TYPE_CHECKING:
    from robench.executors.crew import Crew

CREW = ("executor", "workers", "gpu_fraction", "retries", "address")
"""The parameters that `crew_options` adds."""


def crew_options() -> Decorator:
    """Add who does the work: the fields of `Crew`, by the names that `crew_of` takes."""
    options: list[Decorator] = [
        click.option(
            "--executor",
            type=click.Choice(["local", "processes", "ray"]),
            default="local",
            show_default=True,
            help="Who works: this process, several of this machine, or a Ray cluster.",
        ),
        click.option(
            "--workers", type=int, help="How many at once. [default: one a GPU, or a core]"
        ),
        click.option(
            "--gpu-fraction",
            type=float,
            default=1.0,
            show_default=True,
            help="Share of a GPU that each has: 0.25 lets four share one.",
        ),
        click.option(
            "--retries",
            type=int,
            default=2,
            show_default=True,
            help="How often another goes on where a worker died.",
        ),
        click.option("--address", default="", help="Of the Ray cluster: auto, ray://HOST:PORT."),
    ]

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def crew_of(options: dict[str, Any], device: str) -> "Crew":
    """Take the options of `crew_options` out of all that were given; return what they say."""
    from robench.executors.crew import Crew

    said = {name: options.pop(name) for name in CREW}
    return Crew(said.pop("executor"), device=device, **said)
