"""The leaderboard folder: records merged into it, and the page and figures computed from them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from robench import archive, files
from robench.archive import EVALUATIONS, SOURCES, Archive
from robench.errors import UserError
from robench.figures import Figure
from robench.page import page
from robench.records import FORMAT, Match
from robench.standings import sections

README = "README.md"
RECORDS = "records"
FIGURES = "figures"
NOTES = "notes.md"
"""Markdown beside the records that opens the page: what only a person can say of them."""
RUN_FILES = ("manifest.json", "history.csv", "checkpoints.csv", "DONE")
"""What a run is remembered by, its weights excepted; DONE last, as it vouches for the others."""


def publish(runs: Path, out: Path) -> None:
    """Merge the records of the runs folder `runs` into the leaderboard folder `out`.

    Copies what is matched or evaluated, without weights. Records of the same name are overwritten,
    a match replaces that of the same defense, variant and seed; nothing is taken away. Raises
    UserError, naming the file, for a record that cannot be read; then nothing is written.
    """
    if not runs.is_dir():
        raise UserError(f"no runs folder {runs}; train first, or pass --runs")
    found = archive.read(runs)
    sections(found)  # raises for matches whose run is gone
    records = out / RECORDS
    for path, content in [*_copies(found, records), *_merged_matches(found, records)]:
        _update(path, content)


def render(records: Path) -> dict[str, bytes]:
    """Return the README and all figures, by path in the leaderboard folder.

    The same records give the same content. Raises UserError for unreadable records.
    """
    from robench import drawing  # seaborn takes a second to import

    readme, figures = _plan(records)
    drawn = {one.path: drawing.render(one.content, one.stamp, "svg") for one in figures}
    return {README: readme, **drawn}


def write(out: Path) -> None:
    """Write the page and the figures of `out/records`, and remove figures it no longer shows."""
    content = render(out / RECORDS)
    for name, data in content.items():
        _update(out / name, data)
    for name in _figure_files(out) - content.keys():
        (out / name).unlink()


def stale(out: Path) -> list[str]:
    """Return what differs from a fresh render, a line each; nothing where all is up to date.

    Fonts differ between machines, so a figure is judged by the hash of its data, which it carries.
    """
    readme, figures = _plan(out / RECORDS)
    found = [] if _read(out / README) == readme else [f"{README} differs from its records"]
    for figure in figures:
        drawn = _read(out / figure.path)
        if drawn is None:
            found.append(f"{figure.path} is missing")
        elif not figure.matches(drawn):
            found.append(f"{figure.path} was drawn from other records")
    extra = _figure_files(out) - {figure.path for figure in figures}
    return found + [f"{name} belongs to no record" for name in sorted(extra)]


def _plan(records: Path) -> tuple[bytes, list[Figure]]:
    found = archive.read(records)
    notes = _read(records / NOTES) or b""
    readme, figures = page(found, sections(found), notes.decode())
    return readme.encode(), figures


def _copies(found: Archive, records: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the files of runs, sources and evaluations; an evaluation follows its run."""
    known = {kept.sha256 for run in found.runs.values() for kept in run.checkpoints}
    wanted = [one for one in found.results if one.evaluation.weights in known]
    runs = {one.evaluation.run for one in wanted} | {match.run for match in found.matches}
    sources = {one.evaluation.source for one in wanted if one.evaluation.source}
    folders = [Path(key) for key in sorted(runs & found.runs.keys())]
    folders += [Path(SOURCES, key) for key in sorted(sources & found.sources.keys())]
    # A source may also be an ordinary run.
    folders += [Path(key) for key in sorted((sources - found.sources.keys()) & found.runs.keys())]
    for folder in folders:
        for name in RUN_FILES:
            yield records / folder / name, (found.root / folder / name).read_bytes()
    for one in wanted:
        for suffix in (".npz", ".json"):
            file = Path(EVALUATIONS, one.evaluation.key + suffix)
            yield records / file, (found.root / file).read_bytes()


def _merged_matches(found: Archive, records: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield matches files in which new rows replace those of the same defense and seed."""
    by_path: dict[Path, list[Match]] = {}
    for match in found.matches:
        by_path.setdefault(archive.matches_path(records, match), []).append(match)
    for path, new in by_path.items():
        old = archive.read_matches(path) if path.exists() else ()
        rows = {(row.defense, row.variant, row.seed): row for row in (*old, *new)}
        yield path, _json(asdict(rows[key]) for key in sorted(rows))


def _json(rows: Iterable[object]) -> bytes:
    return (json.dumps({"format": FORMAT, "rows": list(rows)}, indent=1) + "\n").encode()


def _update(path: Path, content: bytes) -> None:
    """Write a file unless it holds just that, so that unchanged records keep their dates."""
    if _read(path) != content:
        files.write(path, content)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _figure_files(out: Path) -> set[str]:
    return {f"{FIGURES}/{path.name}" for path in (out / FIGURES).glob("*.svg")}
