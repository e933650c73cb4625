"""Merging a submission into the records of a leaderboard: all of it or, where it clashes, nothing.

Files are written whole, matches last: a merge that was interrupted shows no row, and the same
command goes on with it.
"""

from pathlib import Path, PurePosixPath

from robench import archive, files
from robench.archive import MATCHES, SOURCES
from robench.containment import contained
from robench.errors import UserError
from robench.leaderboard import RECORDS, matches_file, whose
from robench.records import Match
from robench.submissions import selection
from robench.submissions.container import WEIGHTS
from robench.submissions.copied import copied
from robench.submissions.opening import Submission


def add(submission: Submission, out: Path, *, weights: bool = False) -> list[str]:
    """Add the records of a submission, which `inspect` found true, to the leaderboard `out`.

    `weights`: and the networks that it encloses. Returns the names of the files that were written,
    none where all was there already. Raises UserError, and writes nothing, where the leaderboard
    holds another record of the same name, another match of the same defense and seed, or the same
    network or distances under another name.
    """
    records = out / RECORDS
    board = archive.read(contained(out, records))
    for one in copied(submission.found, board):
        if not one.matches:
            raise UserError(f"{one.subject} is not added: {one.reason}")
    new = dict[Path, bytes]()
    for name in submission.manifest.files:
        if WEIGHTS.fullmatch(name) and not weights:
            continue
        own = PurePosixPath(name).relative_to(selection.RECORDS)
        path = contained(out, records / own)
        content = (submission.found.root / own).read_bytes()
        if own.parts[0] == MATCHES:
            content = _merged(path, submission.found.root / own)
        elif path.exists() and path.read_bytes() != content:
            raise UserError(_clash(path, own))
        if not path.exists() or path.read_bytes() != content:
            new[path] = content
    for path in sorted(new, key=_order):
        files.write(path, new[path])
    return sorted(path.relative_to(out).as_posix() for path in new)


def _merged(path: Path, own: Path) -> bytes:
    """Return the matches of both files; UserError where they say two things of one seed."""
    old = archive.read_matches(path) if path.exists() else ()
    rows: dict[tuple[str, str, int], Match] = {whose(one): one for one in old}
    for match in archive.read_matches(own):
        there = rows.setdefault(whose(match), match)
        if there != match:
            raise UserError(
                f"{path} holds another match of {match.variant}, seed {match.seed}: step "
                f"{there.step} of {there.run}, not step {match.step} of {match.run}; take it out "
                "first if the new one is to stand"
            )
        if old and match.tolerance > max(one.tolerance for one in old):
            raise UserError(
                f"{match.variant} is matched within {match.tolerance:g} of {match.target:g}, the "
                f"rows of {path} within less; match again: robench eval --tolerance "
                f"{max(one.tolerance for one in old):g}"
            )
    return matches_file(rows.values())


def _clash(path: Path, own: PurePosixPath) -> str:
    """Say what is there under the same name, and what to do about it."""
    if own.parts[0] == SOURCES:
        return (
            f"{path} is another black-box source than the submission's, trained anew under the "
            f"same name, so that rows could not be compared; copy the leaderboard's {SOURCES}/"
            f"{own.parts[1]}, weights included, into runs/{SOURCES}/ and evaluate again"
        )
    return (
        f"{path} is there already with other content; a record stands for what it was first "
        "published for: take it out first if the new one is to stand"
    )


def _order(path: Path) -> tuple[int, str]:
    """Put what vouches for other files behind them, and matches last."""
    vouches = path.suffix == ".json" or path.name == "DONE"
    return 2 if path.parent.name == MATCHES else int(vouches), str(path)
