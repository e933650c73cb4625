"""Packing rows of a runs folder into one file."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from robench import archive, files
from robench.archive import Archive
from robench.environment import commit, installed
from robench.errors import UserError
from robench.records import digest
from robench.submissions import container, manifest, selection
from robench.submissions.inspection import inspect
from robench.submissions.manifest import MANIFEST, Manifest
from robench.submissions.opening import opened

ENDING = ".robench"


def submit(
    root: Path, words: Sequence[str], out: Path | None = None, *, weights: bool = False
) -> Path:
    """Pack what the runs folder `root` holds of the variants that `words` name; return the file.

    `words`: keys of runs, or names of rows or of networks that robench did not train. `out`: the
    file; None: one in the working folder, named by the first row and its content. `weights`:
    enclose those of the attacked networks. Raises UserError, and writes nothing, where there is
    none of that name, where no row of it was matched and attacked, or where its own records do not
    stand up to `inspect`.
    """
    found = archive.read(root)
    chosen = selection.selected(found, selection.named(found, words))
    _check_rows(chosen, words)
    members = selection.record_files(chosen)
    if weights:
        members |= dict(selection.weight_files(chosen))
    listed = Manifest(
        rows=selection.titles(chosen),
        files={name: files.sha256(members[name]) for name in sorted(members)},
        weights={name: kept.sha256 for name, kept in selection.networks(chosen).items()},
        environment={"robench": installed("robench"), "commit": commit()},
    )
    path = out or Path(f"{_plain(listed.rows[0])}-{digest(listed.files, 8)}{ENDING}")
    try:
        content = container.packed({MANIFEST: manifest.written(listed), **members})
    except UserError as error:
        raise UserError(
            f"not submitted: {error}; evaluate with a smaller --keep, or leave weights out"
        ) from None
    _check_content(path.name, content)
    files.write(path, content)
    return path


def _check_rows(chosen: Archive, words: Sequence[str]) -> None:
    """Refuse what no leaderboard could show."""
    asked = ", ".join(words)
    seen = {one.evaluation.run for one in chosen.results}
    if idle := sorted(chosen.imported.keys() - seen):
        raise UserError(f"{idle[0]} was not attacked; attack it: robench eval --model ...")
    if chosen.runs and all(one.how == "unmatched" for one in chosen.matches):
        raise UserError(
            f"{asked}: not matched at any benign accuracy, so that there is no row to submit; "
            "match and attack first: robench eval --matched-accuracy ..."
        )
    attacked = {(one.evaluation.run, one.evaluation.step) for one in chosen.results}
    for match in chosen.matches:
        if match.how != "unmatched" and (match.run, match.step) not in attacked:
            raise UserError(
                f"{asked}: step {match.step} of {match.run} is matched and was not attacked; "
                f"attack it: robench eval --matched-accuracy {match.target:g}"
            )


def _check_content(name: str, content: bytes) -> None:
    """Refuse to hand in what whoever receives it would refuse."""
    with tempfile.TemporaryDirectory(prefix="robench-") as folder:
        packed = Path(folder) / name
        files.write(packed, content)
        with opened(packed) as submission:
            wrong = [one for one in inspect(submission, None, "cpu", None) if not one.matches]
    for one in wrong:
        why = f": {one.reason}" if one.reason else ""
        raise UserError(f"not submitted: {one.subject}: {one.compared} do not match{why}")


def _plain(row: str) -> str:
    """Return the name of a row as a part of a file's."""
    words = "".join(letter if letter.isalnum() or letter == "." else "-" for letter in row)
    return "-".join(word for word in words.split("-") if word)[:80]
