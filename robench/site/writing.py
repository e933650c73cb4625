"""The page in HTML in its folder: written from a leaderboard's records, and whether it is so."""

from pathlib import Path

from robench import archive, files, leaderboard
from robench.containment import contained
from robench.leaderboard import NOTES, RECORDS
from robench.notes import numbered, sources
from robench.questions import cells_of
from robench.ranking import ranked
from robench.reproduction import record as reproductions
from robench.site.contents import Page
from robench.site.gathering import gather
from robench.site.rendering import render, stamp, stamped

INDEX = "index.html"


def write(out: Path, folder: Path) -> Path:
    """Write the page of the leaderboard folder `out` into `folder` and return it.

    The page is one file that needs nothing beside it. Raises UserError for unreadable records, and
    without the extra `robench[html]`.
    """
    found = page(out)
    path = folder / INDEX
    content = path.read_bytes() if path.is_file() else b""
    if stamped(content) != stamp(found):
        files.write(contained(folder, path), render(found))
    return path


def stale(out: Path, folder: Path) -> list[str]:
    """Return what is not as the records of `out` give it, a line each; nothing if up to date.

    The page is judged by the hash of what it says, which it carries, and by that of its bytes:
    another version of Vega draws the same numbers.
    """
    path = folder / INDEX
    if not path.is_file():
        return [f"{path} is missing"]
    same = stamped(path.read_bytes()) == stamp(page(out))
    return [] if same else [f"{path} differs from its records"]


def page(out: Path) -> Page:
    """Return what the page of the leaderboard folder `out` shows; UserError as for `write`."""
    records = out / RECORDS
    found = archive.read(records)
    everything = ranked(found)
    notes = leaderboard.text_of(records / NOTES)
    shown = numbered(notes, lambda: cells_of(found, ranked=everything))
    return gather(found, everything, (shown, sources(notes)), reproductions.read_all(records))
