"""A submission unpacked into a folder of its own, for as long as it is looked at."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from robench import archive, files
from robench.archive import EVALUATIONS, Archive
from robench.errors import RunFailed, UserError
from robench.standings import sections
from robench.submissions import container, manifest
from robench.submissions.manifest import MANIFEST, Manifest
from robench.submissions.selection import RECORDS


@dataclass(frozen=True, eq=False)
class Submission:
    """What a file holds, read and of the right form; whether it is true is another question."""

    name: str
    """Of the file."""
    manifest: Manifest
    found: Archive
    """Its records, in a folder that is removed afterwards."""


@contextmanager
def opened(path: Path) -> Iterator[Submission]:
    """Unpack a submission, read all of it, and remove it at the end.

    Raises UserError, which names the file and the record in it, for what is no submission, not the
    files that it lists, or no record. An error inside names the file, too.
    """
    with tempfile.TemporaryDirectory(prefix="robench-") as folder:
        root = Path(folder)
        try:
            container.unpack(path, root)
            listed = manifest.read(root / MANIFEST)
            _check_files(root, listed)
            _check_plugins(found := archive.read(root / RECORDS))
            _check_counts(found)
            sections(found)
            yield Submission(path.name, listed, found)
        except UserError as error:
            said = str(error).replace(f"{root / RECORDS}/", f"{path}: ")
            said = said.replace(f"{root}/", f"{path}: ")
            kind = RunFailed if isinstance(error, RunFailed) else UserError
            raise kind(said if str(path) in said else f"{path}: {said}") from None


def _check_files(root: Path, listed: Manifest) -> None:
    """Refuse files that are not listed, listed ones that are not there, and other bytes."""
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    if odd := sorted((there - {MANIFEST}) ^ listed.files.keys()):
        raise UserError(f"{root / MANIFEST} and the files beside it differ in {odd[0]!r}")
    for name, sha256 in listed.files.items():
        if files.sha256((root / name).read_bytes()) != sha256:
            raise UserError(f"{root / name} is not the file that was packed (SHA-256)")


def _check_plugins(found: Archive) -> None:
    """Refuse plugins that would be looked for among modules: a stranger's choice of an import."""
    runs = (*found.runs.values(), *found.sources.values())
    names = [(run.key, "data set", run.spec.dataset) for run in runs]
    names += [(run.key, "model", run.spec.model) for run in runs]
    names += [(one.key, "data set", one.dataset) for one in found.imported.values()]
    for key, kind, name in names:
        if ":" in name or not name.isprintable():
            raise UserError(
                f"{found.root / key} names the {kind} {name!r}; only plugins that a package "
                "registers can be submitted"
            )


def _check_counts(found: Archive) -> None:
    """Refuse evaluations of no image, of which no table can be made."""
    if none := [one.evaluation.key for one in found.results if one.evaluation.count < 1]:
        raise UserError(f"{found.root / EVALUATIONS / none[0]}.json is of no image")
