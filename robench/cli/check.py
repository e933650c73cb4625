"""`robench check`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from robench.cli.options import (
    data_option,
    device_option,
    parse_pairs,
    quiet_option,
    settings_option,
)
from robench.cli.printing import say

if TYPE_CHECKING:
    from robench.checking.check import Found


@click.command(name="check")
@click.argument("plugin")
@click.option(
    "--kind",
    type=click.Choice(["defense", "attack", "dataset", "model"]),
    help="Of PLUGIN, where a name is of several.",
)
@settings_option("A setting of the plugin: KEY=VALUE.")
@data_option()
@device_option()
@quiet_option()
def command(
    plugin: str, kind: str | None, pairs: tuple[str, ...], data_dir: Path | None, device: str
) -> None:
    """Try a PLUGIN out: a name, FILE.py[:Class] or module:Class, of any kind.

    A defense trains for a few steps on made-up images and is attacked by all that is installed; an
    attack is held against distances in closed form. One line a check, with the remedy where one
    fails; exits with 1 then. Nothing is kept. Takes under a minute.
    """
    import tempfile
    import time

    started = time.perf_counter()
    from robench.checking.finding import asked, findings
    from robench.environment import choose_device
    from robench.errors import RunFailed

    one = asked(plugin, kind, parse_pairs(pairs))
    place = choose_device(device)
    say(f"{one.kind} {one.plugin.name}", bold=True)
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="robench-check-") as folder:
        for found in findings(one, Path(folder), data_dir, place):
            say(f"  {line(found)}")
            verdicts.append(found.verdict)
    seconds = time.perf_counter() - started
    count = {name: verdicts.count(name) for name in ("pass", "fail", "skipped")}
    said = ", ".join(f"{number} {name}" for name, number in count.items() if number)
    if count["fail"]:
        raise RunFailed(f"{said} in {seconds:.1f} s; mend what failed and check again")
    say(f"{said} in {seconds:.1f} s")


def line(found: "Found") -> str:
    """Return what a check found, in one line; what to do where it failed."""
    if found.verdict != "fail":
        return f"{found.verdict:7}  {found.check}: {found.measured}"
    return f"FAIL     {found.check}: {found.measured} (wanted: {found.wants}); {found.remedy}"
