"""Which records belong to a submission: all of one variant of a defense, or of several.

A row is of all seeds that were matched, and its points on the robustness curve are of all
strengths, so that neither is left to whoever submits. A network that robench did not train is one
by itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from robench import archive, leaderboard, weights
from robench.archive import GENERATORS, SOURCES, Archive
from robench.containment import contained
from robench.fitting import AGAINST
from robench.imported.record import IMPORTED, WEIGHTS
from robench.imported.verifying import asked_for as brought
from robench.questions import row_names
from robench.records import Checkpoint, Match, Run
from robench.runs import read_runs
from robench.verification import asked_for

RECORDS = "records"
"""Folder of the records in a submission, in the layout of a leaderboard's."""
Variant = tuple[str, str]
"""Protocol and name of a variant."""


@dataclass(frozen=True)
class Entries:
    """What a submission is about."""

    variants: frozenset[Variant]
    imported: frozenset[str]
    """Keys of networks that robench did not train."""


def named(found: Archive, words: Iterable[str]) -> Entries:
    """Return what names of runs, rows or networks stand for, as `robench verify` has them.

    UserError, with what there is, where there is none of them.
    """
    variants, imported = set[Variant](), set[str]()
    for one in words:
        if networks := brought(found, one):
            imported |= {network.key for network in networks}
        else:
            variants |= {_variant(found.runs[key]) for key in asked_for(found, one)}
    return Entries(frozenset(variants), frozenset(imported))


def everything(found: Archive) -> Entries:
    """Return the variants that are matched, and all networks that robench did not train."""
    variants = {(one.protocol, one.variant) for one in found.matches}
    return Entries(frozenset(variants), frozenset(found.imported))


def titles(found: Archive) -> tuple[str, ...]:
    """Return what the rows are called: matched ones with their target, then networks by name."""
    return (*row_names(found), *sorted({one.name for one in found.imported.values()}))


def selected(found: Archive, entries: Entries) -> Archive:
    """Return the records of these entries alone, with the runs of their black-box sources."""
    variants = entries.variants
    own = {key: run for key, run in found.runs.items() if _variant(run) in variants}
    known = own.keys() | entries.imported
    results = tuple(one for one in found.results if one.evaluation.run in known)
    sources = {one.evaluation.source for one in results if one.evaluation.source}
    ordinary = {key: found.runs[key] for key in sources - found.sources.keys() if key in found.runs}
    return replace(
        found,
        runs={**own, **ordinary},
        sources={key: run for key, run in found.sources.items() if key in sources},
        results=results,
        matches=tuple(one for one in found.matches if (one.protocol, one.variant) in variants),
        audits={sha256: one for sha256, one in found.audits.items() if one.run in known},
        studies=(),
        imported={key: one for key, one in found.imported.items() if key in entries.imported},
    )


def record_files(chosen: Archive) -> dict[str, bytes]:
    """Return the files of selected records by name, weights left out."""
    root = Path(RECORDS)
    found = {path.as_posix(): content for path, content in leaderboard.copies(chosen, root)}
    for folder in _generators(chosen):
        for name in leaderboard.RUN_FILES:
            path = contained(chosen.root, folder / name)
            found[(root / GENERATORS / folder.name / name).as_posix()] = path.read_bytes()
    by_path: dict[Path, list[Match]] = {}
    for match in chosen.matches:
        by_path.setdefault(archive.matches_path(root, match), []).append(match)
    for path, rows in by_path.items():
        found[path.as_posix()] = leaderboard.matches_file(rows)
    return found


def networks(chosen: Archive) -> dict[str, Checkpoint]:
    """Return the checkpoints that were attacked, and the black-box sources, by name of a file."""
    root, found = Path(RECORDS), dict[str, Checkpoint]()
    for one in chosen.results:
        record = one.evaluation
        if network := chosen.imported.get(record.run):
            found[(root / IMPORTED / network.key / WEIGHTS).as_posix()] = network.checkpoint
            continue
        for kept in chosen.runs[record.run].checkpoints:
            if kept.step == record.step:
                found[(root / kept.run / kept.file).as_posix()] = kept
        if source := chosen.sources.get(record.source or ""):
            found[(root / SOURCES / source.key / source.final.file).as_posix()] = source.final
        elif source := chosen.runs.get(record.source or ""):
            found[(root / source.key / source.final.file).as_posix()] = source.final
    return found


def weight_files(chosen: Archive) -> Iterator[tuple[str, bytes]]:
    """Yield the files of these checkpoints; UserError where one is not as it was recorded."""
    for name, kept in networks(chosen).items():
        path = contained(chosen.root, chosen.root / Path(name).relative_to(RECORDS))
        weights.load(path, kept.sha256)
        yield name, path.read_bytes()


def _variant(run: Run) -> Variant:
    return run.spec.protocol, run.variant


def _generators(chosen: Archive) -> list[Path]:
    """Return the folders of what attacks trained against the networks of these records."""
    folder = contained(chosen.root, chosen.root / GENERATORS)
    if not folder.is_dir():
        return []
    victims = {one.evaluation.weights for one in chosen.results}
    victims |= {one.evaluation.source_weights or "" for one in chosen.results}
    return [
        folder / run.key for run in read_runs(folder) if run.spec.settings.get(AGAINST) in victims
    ]
