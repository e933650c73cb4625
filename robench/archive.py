"""All records of one folder, read and checked: runs, matches, evaluations, audits, studies."""

import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from robench import metrics
from robench.conformance import Record, from_json
from robench.containment import contained
from robench.errors import UserError
from robench.imported.record import Imported, read_all
from robench.metrics import Distances, Interval
from robench.outcomes import Outcomes, Pool
from robench.records import Audit, Evaluation, Finding, Match, Run
from robench.runs import read_json, read_runs
from robench.samples import Samples, samples_path
from robench.study_record import Study

SOURCES = "sources"
GENERATORS = "generators"
"""What attacks trained before they attacked."""
EVALUATIONS = "evaluations"
MATCHES = "matches"
AUDITS = "audits"
STUDIES = "studies"
EVALUATE_AGAIN = "delete it and run `robench eval` again"
AUDIT_AGAIN = "delete it and run: robench audit"
RUN_AGAIN = "delete it and run: robench run"


@dataclass(frozen=True, eq=False)
class Result:
    """An evaluation with what it measured; each number is computed once, when first asked for."""

    evaluation: Evaluation
    outcomes: Outcomes

    @cached_property
    def benign(self) -> Interval:
        """Benign accuracy on the attacked images."""
        return metrics.benign_accuracy(self.outcomes)

    @cached_property
    def accuracy(self) -> Interval:
        """Accuracy under attack."""
        return metrics.accuracy(self.outcomes)

    @cached_property
    def success(self) -> Interval:
        """Success rate over correctly classified images."""
        return metrics.success_rate(self.outcomes)

    @cached_property
    def distances(self) -> Distances:
        """Mean and median distances with bootstrap intervals."""
        return metrics.distances(self.outcomes)

    @property
    def numbers(self) -> dict[str, Interval]:
        """All of them by name, as docs/metrics.md has them."""
        found = self.distances
        return {
            "benign": self.benign,
            "accuracy": self.accuracy,
            "success": self.success,
            "rho": found.rho,
            "rho_correct": found.rho_correct,
            "median": found.median,
        }


def measure(results: Iterable[Result]) -> None:
    """Compute the distances of many results at once, which takes less than one after another."""
    by_count: dict[int, list[Result]] = {}
    for one in results:
        if "distances" not in vars(one):
            by_count.setdefault(len(one.outcomes.label), []).append(one)
    for own in by_count.values():
        found = metrics.distances_of([one.outcomes for one in own])
        for one, distances in zip(own, found, strict=True):
            vars(one)["distances"] = distances  # where the cached property keeps it


@dataclass(frozen=True, eq=False)
class Archive:
    """What a runs folder, or the records of a leaderboard, holds."""

    root: Path
    runs: Mapping[str, Run]
    """By key."""
    sources: Mapping[str, Run]
    """The runs that black-box attacks were made on, by key."""
    results: tuple[Result, ...]
    """In the order of their keys."""
    matches: tuple[Match, ...]
    audits: Mapping[str, Audit]
    """By the SHA-256 of the audited weights."""
    studies: tuple[Study, ...] = ()
    """By name."""
    imported: Mapping[str, Imported] = field(default_factory=dict)
    """Classifiers that robench did not train, by key."""

    def samples(self, evaluation: str) -> Samples:
        """Return the images kept of an evaluation; UserError where there are none."""
        path = samples_path(self.root / EVALUATIONS / f"{evaluation}.json")
        return Samples.load(contained(self.root, path))

    def source(self, key: str | None) -> Run | None:
        """Return the run that black-box attacks were made on; None for none, or none recorded."""
        return (self.sources.get(key) or self.runs.get(key)) if key else None

    def run(self, match: Match) -> Run:
        """Return the run a match names; UserError where it is gone or lacks the checkpoint."""
        run = self.runs.get(match.run)
        if run is None or all(kept.step != match.step for kept in run.checkpoints):
            raise UserError(
                f"{matches_path(self.root, match)} names step {match.step} of run {match.run}, "
                f"which is not under {self.root}; match again: "
                f"robench eval --matched-accuracy {match.target:g}"
            )
        return run


def read(root: Path) -> Archive:
    """Read every record under `root`; a folder that is not there is an empty one.

    Raises UserError, naming the file, for what is unreadable or written by a newer robench.
    """
    return Archive(
        root=root,
        runs=_runs(root),
        sources=_runs(contained(root, root / SOURCES)),
        results=_results(root),
        matches=tuple(match for path in _records(root, MATCHES) for match in read_matches(path)),
        audits=_audits(root),
        studies=tuple(read_study(path) for path in _records(root, STUDIES)),
        imported=read_all(root),
    )


def _results(root: Path) -> tuple[Result, ...]:
    """Return all results; what several say alike of their images is held once."""
    pool: Pool = {}
    links = _links(contained(root, root / EVALUATIONS))
    return tuple(read_result(path, pool, links) for path in _records(root, EVALUATIONS))


def _links(folder: Path) -> set[str]:
    """Return which of a folder's files are links; asked once, as a path takes longer each."""
    found = os.scandir(folder) if folder.is_dir() else ()
    return {one.name for one in found if one.is_symlink()}


def _records(root: Path, name: str) -> list[Path]:
    """Return the records of one kind, none of which leads elsewhere."""
    folder = contained(root, root / name)
    links = _links(folder)
    found = sorted(folder.glob("*.json"), key=lambda path: path.name)
    return [contained(root, path) if path.name in links else path for path in found]


def matches_path(root: Path, match: Match) -> Path:
    """Return the file that holds all matches of this one's protocol and target."""
    return root / MATCHES / f"{match.protocol}-{match.target:.4f}.json"


def read_matches(path: Path) -> tuple[Match, ...]:
    """Read one matches file; UserError names it where it cannot be read."""
    rows = read_json(path).get("rows")
    if not isinstance(rows, list):
        raise UserError(f"{path} has no rows; delete it and run `robench eval` again")
    matches = tuple(_record(Match, row, path) for row in rows)
    if odd := [one for one in matches if matches_path(Path(), one).name != path.name]:
        raise UserError(
            f"{path} holds a match of {odd[0].protocol} at {odd[0].target:g}; delete it"
        )
    return matches


def _runs(folder: Path) -> dict[str, Run]:
    return {run.key: run for run in read_runs(folder)} if folder.is_dir() else {}


def read_evaluation(path: Path) -> Evaluation:
    """Read one evaluation's record; UserError names it where it cannot be read."""
    row = read_json(path)
    row.pop("format")
    evaluation = _record(Evaluation, row, path)
    if evaluation.key != path.stem:
        raise UserError(f"{path} describes the evaluation {evaluation.key}; {EVALUATE_AGAIN}")
    return evaluation


def read_audit(path: Path) -> Audit:
    """Read one audit's record; UserError names it where it cannot be read."""
    row = read_json(path)
    row.pop("format")
    findings, seen = row.get("findings"), row.get("evaluations")
    if not isinstance(findings, list) or not isinstance(seen, list):
        raise UserError(f"{path} lacks findings or evaluations; {AUDIT_AGAIN}")
    found = tuple(_record(Finding, one, path, AUDIT_AGAIN) for one in findings)
    row |= {"findings": found, "evaluations": tuple(seen)}
    audit = _record(Audit, row, path, AUDIT_AGAIN)
    if audit.key != path.stem:
        raise UserError(f"{path} describes the audit {audit.run}-{audit.step}; {AUDIT_AGAIN}")
    return audit


def read_study(path: Path) -> Study:
    """Read one study's record; UserError names it where it cannot be read."""
    row = read_json(path)
    row.pop("format")
    study = _record(Study, row, path, RUN_AGAIN)
    if study.name != path.stem:
        raise UserError(f"{path} describes the study {study.name}; {RUN_AGAIN}")
    return study


def _audits(root: Path) -> dict[str, Audit]:
    """Return audits by weights; of two of the same weights, the one that failed."""
    found = [read_audit(path) for path in _records(root, AUDITS)]
    found.sort(key=lambda audit: (len(audit.failed), len(audit.evaluations)))
    return {audit.weights: audit for audit in found}


def read_result(
    path: Path, pool: Pool | None = None, links: Container[str] | None = None
) -> Result:
    """Read one evaluation's record and outcomes; UserError names what cannot be read.

    `pool` as `Outcomes.load` takes it; `links`: which files of the folder are links, if known.
    """
    evaluation, arrays = read_evaluation(path), path.with_suffix(".npz")
    if links is None or arrays.name in links:
        arrays = contained(path.parent, arrays)
    outcomes = Outcomes.load(arrays, pool)
    if len(outcomes.label) != evaluation.count:
        raise UserError(
            f"{path} counts {evaluation.count} images, its .npz holds {len(outcomes.label)}; "
            "delete both and run `robench eval` again"
        )
    return Result(evaluation, outcomes)


def _record(kind: type[Record], row: object, path: Path, mend: str = EVALUATE_AGAIN) -> Record:
    """Rebuild a record and, where that fails, say which file it came from and how to mend it."""
    if not isinstance(row, dict):
        raise UserError(f"{path} holds no {kind.__name__} record; {mend}")
    try:
        return from_json(kind, row)
    except UserError as error:
        raise UserError(f"{path}: {error}; {mend}") from None
