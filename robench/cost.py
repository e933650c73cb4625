"""What the cost column of a table is, and the hardware that it was measured on."""

from collections.abc import Mapping, Sequence

from robench.markdown import escape
from robench.standings import Row

WHAT = "s/epoch: seconds of training an epoch, median over epochs and seeds"
UNKNOWN = "hardware that was not recorded"


def cost(rows: Sequence[Row]) -> str:
    """Return the sentence that a table of `rows` needs on its seconds per epoch, as Markdown.

    Where the rows were trained on different hardware, it says which on what; nothing without rows.
    """
    on: dict[str, dict[str, None]] = {}
    for row in rows:
        on.setdefault(hardware(row.run.environment), {})[row.match.variant] = None
    if not on:
        return ""
    if len(on) == 1:
        return f"{WHAT}, on {escape(next(iter(on)))}."
    listed = "; ".join(f"{', '.join(names)} on {name}" for name, names in on.items())
    return f"{WHAT}, **not on the same hardware**, so that they do not compare: {escape(listed)}."


def hardware(environment: Mapping[str, str]) -> str:
    """Return the device of a recorded environment in words, with the threads it had."""
    device, threads = environment.get("device", ""), environment.get("threads", "")
    if not device:
        return UNKNOWN
    return f"{device}, {threads} thread{'' if threads == '1' else 's'}" if threads else device
