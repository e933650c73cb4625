"""How far the trainings in a runs folder are, read from the folder alone."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from robench.claim import seen
from robench.conformance import from_json
from robench.containment import contained
from robench.errors import UserError
from robench.executors.log import LOGS, last_line
from robench.pending import Intended, pending
from robench.records import Epoch, RunSpec
from robench.runs import RunFolder, read_json, read_rows

State = Literal["done", "running", "stopped", "waiting", "abandoned"]
"""`stopped`: begun, not done, and no process is at work on it. Not begun are `waiting`, which a
command is going to train, and `abandoned`, where that command has ended."""


@dataclass(frozen=True)
class Standing:
    """How far one run is."""

    run: str
    state: State
    epoch: int
    """The last that is stored; 0: none."""
    epochs: int
    """How many were asked for; 0: not known."""
    left: float | None
    """Seconds to the end, as the epochs so far took; None where it is not running, or new."""
    device: str
    holder: str
    """Who is at work on it, in words."""
    note: str
    """Of what has stopped, the last line of its log."""
    words: str = ""
    """What sets it apart in its grid; empty where no plan names it."""


def standings(runs: Path) -> list[Standing]:
    """Return how far each run under `runs` is, in order of their names; then what was not begun.

    One whose records cannot be read, since they are being written or are damaged, is told of as
    far as it can be. Raises UserError where there is no such folder.
    """
    if not runs.is_dir():
        raise UserError(f"no folder {runs}; say --runs with the folder of a sweep")
    planned = _planned(runs, time.time())  # nothing is decided by it here
    found = filter(None, (standing_of(runs, path) for path in runs.iterdir()))
    begun = {one.run: one for one in found}
    return [
        *(
            replace(one, words=planned[key][0].words) if key in planned else one
            for key, one in sorted(begun.items())
        ),
        *(_not_begun(runs, *one) for key, one in planned.items() if key not in begun),
    ]


def standing_of(runs: Path, path: Path) -> Standing | None:
    """Return how far the run at `path` under `runs` is; None where no run is there."""
    now = time.time()
    held = [one for one in seen(path, now) if one.living(now)] if path.is_dir() else []
    folder = RunFolder(contained(runs, path))
    if not held and not folder.manifest.is_file():
        return None
    holder = str(held[0].holder or "another process") if held else ""
    done = folder.done.exists()
    return _standing(folder, "done" if done else "running" if held else "stopped", holder)


def _planned(runs: Path, now: float) -> dict[str, tuple[Intended, State]]:
    """Return the runs that plans name, in their order, and what they are if they were not begun."""
    found: dict[str, tuple[Intended, State]] = {}
    for plan in sorted(pending(runs), key=lambda one: not one.living(now)):
        state: State = "waiting" if plan.living(now) else "abandoned"
        for cell in plan.cells:
            found.setdefault(cell.run, (cell, state))
    return found


def _not_begun(runs: Path, cell: Intended, state: State) -> Standing:
    log = last_line(runs / LOGS / f"{cell.run}.log")
    failed = log.startswith("failed")  # before there was a folder
    state, note = ("stopped", log) if failed else (state, "")
    return Standing(cell.run, state, 0, cell.epochs, None, "", "", note, cell.words)


def _standing(folder: RunFolder, state: State, holder: str) -> Standing:
    manifest = _manifest(folder)
    spec: RunSpec | None = manifest.get("spec")
    history = _history(folder)
    seconds = sorted(row.seconds for row in history)
    epochs = spec.epochs if spec else 0
    known = state == "running" and epochs and seconds
    log = folder.path.parent / LOGS / f"{folder.path.name}.log"
    return Standing(
        run=folder.path.name,
        state=state,
        epoch=len(history),
        epochs=epochs,
        left=(epochs - len(history)) * seconds[len(seconds) // 2] if known else None,
        device=str(manifest.get("device", "")),
        holder=holder,
        note=last_line(log) if state == "stopped" else "",
    )


def _manifest(folder: RunFolder) -> Mapping[str, Any]:
    """Return the spec and the device of a run, as far as they can be read."""
    try:
        content = read_json(folder.manifest)
        device = content["environment"]["device"]
        return {"spec": from_json(RunSpec, content["spec"]), "device": device}
    except (UserError, KeyError, TypeError):
        return {}


def _history(folder: RunFolder) -> tuple[Epoch, ...]:
    try:
        return read_rows(folder.history, Epoch)
    except UserError:
        return ()
