"""The leaderboard folder: records merged into it, and the page and figures computed from them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from robench import archive, files
from robench.archive import AUDITS, EVALUATIONS, GENERATORS, SOURCES, STUDIES, Archive
from robench.containment import contained
from robench.errors import UserError
from robench.figures import Figure, sealed
from robench.imported.record import IMPORTED, MANIFEST
from robench.notes import filled
from robench.page import page
from robench.questions import cells_of, matched_rows, row_names
from robench.ranking import ranked
from robench.records import Match
from robench.reproduction import page as reproduced
from robench.reproduction import record as reproductions
from robench.reproduction.record import Reproduction
from robench.runs import as_json, read_run, read_runs
from robench.standings import sections

README = "README.md"
RECORDS = "records"
FIGURES = "figures"
NOTES = "notes.md"
"""Markdown beside the records that opens the page: what only a person can say of them.

Its numbers are filled in from the records, see `robench.notes`."""
RUN_FILES = ("manifest.json", "history.csv", "checkpoints.csv", "DONE")
"""What a run is remembered by, its weights excepted; DONE last, as it vouches for the others."""


def publish(runs: Path, out: Path, weights_of: Sequence[str] = ()) -> None:
    """Merge the records of the runs folder `runs` into the leaderboard folder `out`.

    Copies what is matched or evaluated, with its audits, and the weights of the rows `weights_of`
    alone, called as `robench verify` has them. Records of the same name are overwritten, a match
    replaces that of the same defense, variant and seed; nothing is taken away. Raises UserError,
    naming the file, for a record that cannot be read; then nothing is written.
    """
    if not runs.is_dir():
        raise UserError(f"no runs folder {runs}; train first, or pass --runs")
    found = archive.read(runs)
    sections(found)  # raises for matches whose run is gone
    reproductions.read_all(runs)  # raises for one that cannot be read
    read_runs(runs / GENERATORS)  # as well
    records = out / RECORDS
    made = [*_weights(found, records, weights_of), *copies(found, records), *_others(runs, records)]
    for path, content in [*made, *_merged_matches(found, records)]:
        _update(path, content)


def render(records: Path, drawn: Path | None = None) -> dict[str, bytes]:
    """Return all pages and figures, by path in the leaderboard folder.

    The same records give the same content. A figure that the leaderboard folder `drawn` holds
    already, drawn from the same data, is returned as it is there. Raises UserError for unreadable
    records.
    """
    texts, figures = _plan(records)
    return {**texts, **{figure.path: _svg(figure, drawn) for figure in figures}}


def pages(records: Path) -> dict[str, bytes]:
    """Return all pages by path in the leaderboard folder, without drawing what they show.

    Raises UserError for unreadable records.
    """
    return _plan(records)[0]


def write(out: Path) -> None:
    """Write the pages and figures of `out/records`, and remove what they no longer show."""
    content = render(out / RECORDS, out)
    for name, data in content.items():
        _update(contained(out, out / name), data)
    for name in _written(out) - content.keys():
        contained(out, out / name).unlink()


def stale(out: Path) -> list[str]:
    """Return what differs from a fresh render, a line each; nothing where all is up to date.

    Fonts differ between machines, so a figure is judged by the hash of its data, which it carries.
    """
    texts, figures = _plan(out / RECORDS)
    found = [
        f"{name} differs from its records"
        for name, text in texts.items()
        if _read(out / name) != text
    ]
    for figure in figures:
        drawn = _read(out / figure.path)
        if drawn is None:
            found.append(f"{figure.path} is missing")
        elif not figure.matches(drawn):
            found.append(f"{figure.path} was drawn from other records")
    extra = _written(out) - texts.keys() - {figure.path for figure in figures}
    return found + [f"{name} belongs to no record" for name in sorted(extra)]


def page_of(made: Reproduction) -> str:
    """Return where a reproduction's page lies in the leaderboard folder."""
    return reproduced.path(made)


def text_of(path: Path) -> str:
    """Return the text of a file; empty where there is none, UserError where it is no text."""
    try:
        return (_read(path) or b"").decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text ({error})") from None


def _plan(records: Path) -> tuple[dict[str, bytes], list[Figure]]:
    """Return every page by its path, and all figures that they show."""
    found, made = archive.read(records), reproductions.read_all(records)
    everything = ranked(found)
    notes = filled(text_of(records / NOTES), lambda: cells_of(found, ranked=everything))
    listed = [(one.title, reproduced.path(one)) for one in made]
    text, figures = page(found, everything, notes, listed)
    texts = {README: text.encode()}
    for one in made:
        text, own = reproduced.page(one, found)
        texts[reproduced.path(one)] = text.encode()
        figures += own
    return texts, figures


def _svg(figure: Figure, drawn: Path | None) -> bytes:
    there = _read(drawn / figure.path) if drawn else None
    if there is not None and figure.matches(there):
        return there
    from robench import drawing  # seaborn takes a second to import

    return sealed(drawing.render(figure.content, figure.stamp, "svg"))


def copies(found: Archive, records: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the files of runs, sources, evaluations and audits, with the places that they take.

    Of runs that are matched or evaluated; weights are left out. `records`: the folder of records
    that they are for. Raises UserError where a file leads out of the archive's folder.
    """
    known = {kept.sha256 for run in found.runs.values() for kept in run.checkpoints}
    known |= {one.weights for one in found.imported.values()}
    wanted = [one for one in found.results if one.evaluation.weights in known]
    runs = {one.evaluation.run for one in wanted} | {match.run for match in found.matches}
    sources = {one.evaluation.source for one in wanted if one.evaluation.source}
    folders = [Path(key) for key in sorted(runs & found.runs.keys())]
    folders += [Path(SOURCES, key) for key in sorted(sources & found.sources.keys())]
    # A source may also be an ordinary run.
    folders += [Path(key) for key in sorted((sources - found.sources.keys()) & found.runs.keys())]
    for folder in folders:
        for name in RUN_FILES:
            path = contained(found.root, found.root / folder / name)
            yield records / folder / name, path.read_bytes()
    for key in sorted(runs & found.imported.keys()):
        file = Path(IMPORTED, key, MANIFEST)
        yield records / file, contained(found.root, found.root / file).read_bytes()
    for one in wanted:
        for suffix in (".npz", ".samples.npz", ".json"):
            file = Path(EVALUATIONS, one.evaluation.key + suffix)
            if (content := _read(contained(found.root, found.root / file))) is not None:
                yield records / file, content
    kept = {kept.sha256 for key in runs & found.runs.keys() for kept in found.runs[key].checkpoints}
    kept |= {found.imported[key].weights for key in runs & found.imported.keys()}
    for weights in sorted(kept & found.audits.keys()):
        file = Path(AUDITS, f"{found.audits[weights].key}.json")
        yield records / file, (found.root / file).read_bytes()


def _weights(found: Archive, records: Path, rows: Sequence[str]) -> Iterator[tuple[Path, bytes]]:
    """Yield the matched checkpoints of rows, so that others can verify them without training."""
    from robench.weights import load  # torch takes seconds to import

    for words in rows:
        matched = matched_rows(found, words)
        if not matched:
            there = ", ".join(row_names(found)) or "none"
            raise UserError(f"no matched row {words!r} under {found.root}; rows: {there}")
        for row in matched:
            kept = row.run.at(row.match.step)
            path = contained(found.root, found.root / kept.run / kept.file)
            load(path, kept.sha256)  # raises for what is not as it was
            yield records / kept.run / kept.file, path.read_bytes()


def _others(root: Path, records: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield the records of what attacks trained first, of reproductions and of studies."""
    for done in sorted((root / GENERATORS).glob("*/DONE")):
        read_run(contained(root, done).parent)  # raises for one that cannot be read
        for name in RUN_FILES:
            path = contained(root, done.parent / name)
            yield records / GENERATORS / done.parent.name / name, path.read_bytes()
    for folder in (reproductions.REPRODUCTIONS, STUDIES):
        for path in sorted((root / folder).glob("*.json")):
            yield records / folder / path.name, contained(root, path).read_bytes()


def _merged_matches(found: Archive, records: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield matches files in which new rows replace those of the same defense and seed."""
    by_path: dict[Path, list[Match]] = {}
    for match in found.matches:
        by_path.setdefault(archive.matches_path(records, match), []).append(match)
    for path, new in by_path.items():
        old = archive.read_matches(path) if path.exists() else ()
        rows = {whose(row): row for row in (*old, *new)}
        yield path, matches_file(rows.values())


def whose(match: Match) -> tuple[str, str, int]:
    """Return what there is one match of at a benign accuracy: defense, variant, and seed."""
    return match.defense, match.variant, match.seed


def matches_file(matches: Iterable[Match]) -> bytes:
    """Return the file of the matches of one protocol and benign accuracy."""
    rows = sorted(matches, key=whose)
    return as_json({"rows": [asdict(row) for row in rows]}).encode()


def _update(path: Path, content: bytes) -> None:
    """Write a file unless it holds just that, so that unchanged records keep their dates."""
    if _read(path) != content:
        files.write(path, content)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _written(out: Path) -> set[str]:
    """Return the figures and pages, the README aside, that lie in the leaderboard folder."""
    kinds = ((FIGURES, "*.svg"), (reproduced.FOLDER, "*.md"))
    return {f"{name}/{path.name}" for name, form in kinds for path in (out / name).glob(form)}
