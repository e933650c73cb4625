"""Run folders: what lies where, and reading it back.

RUNS/<key>/manifest.json        spec, versions, device; written first
           history.csv          one line an epoch
           checkpoints.csv      one line a kept checkpoint, the final one last
           rungs/step-*.safetensors, final.safetensors
           state.safetensors    to resume from; the one file that decides how far a run is
           DONE                 written last: the hashes of the first three, as sha256sum has them
RUNS/sources/<key>/             networks that black-box attacks are made on
RUNS/generators/<key>/          networks that attacks train first
RUNS/imported/<key>/            networks that robench did not train, see `robench.imported`
RUNS/evaluations/, RUNS/matches/, RUNS/reproductions/
RUNS/plans/                     what commands are going to train, see `robench.pending`
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from robench import files
from robench.conformance import LARGEST, from_json
from robench.containment import contained
from robench.errors import UserError
from robench.records import FORMAT, Checkpoint, Epoch, Run, RunSpec, Strength, digest

SEAL = "sha256"
"""Of a JSON object: the hash of all else in it. Older ones have none and are believed."""
Row = TypeVar("Row", Epoch, Checkpoint)
MOST = 2**28
"""Bytes of a record that is read."""
_ESCAPED = re.compile(r"\\u[dD]")


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    path: Path

    @property
    def manifest(self) -> Path:
        """What was asked for and where it ran."""
        return self.path / "manifest.json"

    @property
    def history(self) -> Path:
        """One line an epoch."""
        return self.path / "history.csv"

    @property
    def checkpoints(self) -> Path:
        """One line a checkpoint."""
        return self.path / "checkpoints.csv"

    @property
    def rungs(self) -> Path:
        """Checkpoints along training."""
        return self.path / "rungs"

    @property
    def final(self) -> Path:
        """Averaged weights of the last epoch, of every network."""
        return self.path / "final.safetensors"

    @property
    def state(self) -> Path:
        """Everything that resuming needs."""
        return self.path / "state.safetensors"

    @property
    def done(self) -> Path:
        """Exists where the run is finished."""
        return self.path / "DONE"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that robench wrote; refuse what is damaged or newer."""
    try:
        text = files.read(path, MOST).decode()
        content = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if _ESCAPED.search(text):  # as half a character may be, which cannot be written
            json.dumps(content, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error}); delete it and run again") from None
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise UserError(f"{path} was not written by robench: it names no format")
    if (seal := content.pop(SEAL, None)) is not None and seal != digest(content, 64):
        raise UserError(
            f"{path} is damaged: what it says is not what was written (SHA-256); delete it and run "
            "again"
        )
    if content["format"] > FORMAT:
        raise UserError(
            f"{path} has format {content['format']}, this robench reads up to {FORMAT}: "
            "it was written by a newer version; upgrade robench or choose another --runs"
        )
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with the format's version, readable and in one step."""
    files.write(path, as_json(content))


def as_json(content: Mapping[str, Any]) -> str:
    """Return what `write_json` writes: the format, the content, and the hash of both.

    The hash is that of the values, whatever the order and the white space.
    """
    whole = json.loads(json.dumps({"format": FORMAT, **content}, allow_nan=False))
    return json.dumps({**whole, SEAL: digest(whole, 64)}, indent=1) + "\n"


def vouch(folder: RunFolder) -> None:
    """Mark a run as done, and keep the hashes of its records."""
    files.write(folder.done, _vouched(folder))


def check_vouched(folder: RunFolder) -> None:
    """Raise UserError where the records of a finished run are not those that it ended with.

    What an older robench marked as done is believed.
    """
    try:
        said = files.read(folder.done, MOST).decode(errors="replace")
        lines = _vouched(folder).splitlines(keepends=True)
    except OSError as error:
        raise UserError(f"{folder.done} cannot be read ({error})") from None
    if said and said != "".join(lines):
        other = next((line for line in lines if line not in said), lines[0])
        raise UserError(
            f"{folder.path / other.split()[1]} is not the file that {folder.done} tells of: one of "
            "them is damaged; restore it, or delete the run folder and train again"
        )


def _vouched(folder: RunFolder) -> str:
    """Return a line for each record of a run, with the hash of what it holds, if it is there."""
    paths = (folder.manifest, folder.history, folder.checkpoints)
    contents = [files.read(path, MOST) if path.is_file() else b"" for path in paths]
    pairs = zip(paths, contents, strict=True)
    return "".join(f"{files.sha256(content)}  {path.name}\n" for path, content in pairs)


def write_manifest(folder: RunFolder, run: Run) -> None:
    """Write what was asked for and where it runs."""
    content = asdict(run)
    del content["history"], content["checkpoints"]
    write_json(folder.manifest, content)


def write_rows(path: Path, kind: type[Row], rows: Sequence[Row]) -> None:
    """Write records as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    files.write(path, text.getvalue())


def read_rows(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    """Read records from CSV."""
    parsers = {name: _PARSERS[hint] for name, hint in get_type_hints(kind).items()}
    try:
        text = files.read(path, MOST).decode()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        return tuple(kind(**{n: parse(row[n]) for n, parse in parsers.items()}) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}: {error})") from None


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _finite(word: str) -> float:
    value = float(word)
    return value if math.isfinite(value) else _no_number(word)


def _whole(word: str) -> int:
    value = int(word)
    return value if abs(value) < LARGEST else int(_no_number(word))


def _truth(word: str) -> bool:
    return {"True": True, "False": False}[word]


def _text(word: str) -> str:
    if not isinstance(word, str):  # the line has too few cells
        raise TypeError("a line is too short")
    return word


_PARSERS: dict[type, Callable[[str], Any]] = {int: _whole, float: float, str: _text, bool: _truth}


def read_run(path: Path) -> Run:
    """Read a run folder's records, not its weights; all lie in it."""
    folder = RunFolder(path)
    for file in (folder.manifest, folder.history, folder.checkpoints, folder.done):
        contained(path.parent, contained(path, file))
    if folder.done.exists():
        check_vouched(folder)
    content = read_json(folder.manifest)
    del content["format"]
    tables = {
        "history": read_rows(folder.history, Epoch),
        "checkpoints": read_rows(folder.checkpoints, Checkpoint),
    }
    try:
        strength = content["strength"]
        content["spec"] = from_json(RunSpec, content["spec"])
        content["strength"] = None if strength is None else from_json(Strength, strength)
        content["shape"] = tuple(content["shape"])
        run = from_json(Run, {**content, **tables})
    except (KeyError, TypeError, UserError) as error:
        raise UserError(f"{folder.manifest} is damaged ({type(error).__name__}: {error})") from None
    if run.key != path.name:
        raise UserError(f"{folder.manifest} describes the run {run.key}, not {path.name}")
    if not run.checkpoints or not run.history:
        raise UserError(f"{path} says it is done but lists no epochs; delete it and train again")
    _check_checkpoints(folder, run)
    return run


def _check_checkpoints(folder: RunFolder, run: Run) -> None:
    for kept in run.checkpoints:
        if kept.run != run.key:
            raise UserError(f"{folder.checkpoints} lists a checkpoint of the run {kept.run}")
        if not 0 <= kept.accuracy <= 1:
            raise UserError(f"{folder.checkpoints}: {kept.accuracy} is no accuracy")
        contained(folder.path, folder.path / kept.file)


def read_runs(root: Path) -> list[Run]:
    """Read every finished run directly under `root`, in order of their names."""
    return [read_run(contained(root, path).parent) for path in sorted(root.glob("*/DONE"))]
