"""Whether a submission is true, as far as its records, weights and the images at hand can tell."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from robench import leaderboard
from robench.archive import Archive
from robench.audit.auditing import CHECKS
from robench.containment import contained
from robench.data import Data
from robench.environment import choose_device
from robench.errors import UserError
from robench.evaluation import open_subject
from robench.imported.record import IMPORTED, WEIGHTS, Imported
from robench.imported.reopening import bare, rebuildable, reopened
from robench.imported.verifying import verify_network
from robench.planning import classifier_of, data_at_hand
from robench.rechecking import weights_of
from robench.records import Match, Run, RunSpec, digest
from robench.submissions import selection
from robench.submissions.attacks import declared, repeated
from robench.submissions.copied import copied
from robench.submissions.opening import Submission
from robench.submissions.shapes import check_size, shapes
from robench.verification import Finding, verify_run

NEAR = 1e-9
"""Rounding of an accuracy."""


def inspect(
    submission: Submission,
    data_dir: Path | None,
    device: str,
    runs: Path | None,
    again: int = 0,
    model: str | None = None,
) -> Iterator[Finding]:
    """Compare everything of a submission with everything else: nothing in it is believed.

    The file with what `robench submit` packs; matches with the checkpoints that they name; records
    with each other; then each run as `robench verify` does, with the weights that are enclosed and
    the images in `data_dir`, or in the cache of `runs` (None: no such folder); at last, pages are
    made of them. What cannot be compared is a finding with `left`. `again`: repeat the attacks on
    so many images of each evaluation, and the audits, where weights and images are there; 0: none.
    `model`: what builds the networks that robench did not train; no function that a record names is
    called. Raises UserError where `model` is given and there is none of them, where `data_dir`
    holds other images, or where a record leads to no page.
    """
    found, name = submission.found, submission.name
    if model and not found.imported:
        raise UserError(f"--model is for networks that robench did not train; {name} has none")
    yield from _contents(submission)
    wrong = [one for one in found.matches if contradicts(found.runs.get(one.run), one)]
    reason = f"{wrong[0].variant}, seed {wrong[0].seed}" if wrong else ""
    yield Finding(name, "matches", len(found.matches), len(wrong), reason)
    yield from copied(found, found)
    yield from declared(found)
    yield from _audits(found)
    data_of = _finder(data_dir, runs or found.root, device)
    for key in attacked(found):
        yield from _run(found, key, data_of(found.runs[key].spec), device, again)
    seen = {one.evaluation.run for one in found.results}
    for one in (found.imported[key] for key in sorted(found.imported.keys() & seen)):
        yield from _imported(found, one, data_of(one), model, again)
    pages = leaderboard.pages(found.root)  # raises where none can be made
    yield Finding(name, "pages", len(pages), 0)


def _finder(
    data_dir: Path | None, runs: Path, device: str
) -> Callable[[RunSpec | Imported], Data | None]:
    """Return what loads the data set of a run once, or None where it is not at hand."""
    loaded: dict[tuple[str, str, str, int], Data | None] = {}

    def find(spec: RunSpec | Imported) -> Data | None:
        settings = digest(dict(spec.dataset_settings))
        key = (spec.dataset, settings, spec.data, spec.validation)
        if key not in loaded:
            loaded[key] = data_at_hand(spec, data_dir, runs, device)
        return loaded[key]

    return find


def _run(found: Archive, key: str, data: Data | None, device: str, again: int) -> Iterator[Finding]:
    """Compare the attacked networks of one run with its records, and the shapes of all before."""
    run, steps = found.runs[key], attacked(found)[key]
    yield (alike := shapes(found, run, data))
    if not alike.matches:
        return
    build = classifier_of(run.spec, run.shape, run.classes)
    kept = [one for one in run.checkpoints if one.step in steps]
    for one in kept:
        check_size(contained(found.root, found.root / key / one.file), build)
    yield from map(_left, verify_run(found, key, steps, data, device, found.root))
    for one in kept if again else ():
        if data is None or not (found.root / key / one.file).is_file():
            yield _unrepeated(f"{key}, step {one.step}")
        else:
            given = (found.root / key, run, one.step, build, choose_device(device))
            yield from repeated(found, open_subject(*given), data, again)


def _imported(
    found: Archive, one: Imported, data: Data | None, model: str | None, again: int
) -> Iterator[Finding]:
    """Compare a network that robench did not train with its records."""
    yield (alike := shapes(found, one, data))
    if not alike.matches:
        return
    path = contained(found.root, found.root / IMPORTED / one.key / WEIGHTS)
    if rebuildable(one):
        check_size(path, bare(one))
    yield from map(_left, verify_network(found, one, data, found.root, model))
    if again and (data is None or not path.is_file() or not (model or rebuildable(one))):
        yield _unrepeated(one.key)
    elif again and data is not None:
        yield from repeated(found, reopened(found.root, one, data, model), data, again)


def _left(one: Finding) -> Finding:
    """Say of weights that are not there that they are not enclosed; they are nowhere else."""
    without = one.left.startswith("no weights at")
    return replace(one, left="the weights are not enclosed") if without else one


def _unrepeated(name: str) -> Finding:
    left = "it takes the weights and the data set"
    return Finding(name, "attacks repeated", 0, 0, left=left)


def contradicts(run: Run | None, match: Match) -> bool:
    """Tell whether a match is not what its run's checkpoint makes of it."""
    kept = next((one for one in run.checkpoints if one.step == match.step), None) if run else None
    if run is None or kept is None:
        return True
    said = (match.protocol, match.variant, match.defense, match.seed, match.accuracy)
    own = (run.spec.protocol, run.variant, run.spec.defense, run.spec.seed, kept.accuracy)
    within = abs(match.accuracy - match.target) <= match.tolerance + NEAR
    how = ("final" if kept.final else "training") if within else "unmatched"
    return said != own or match.how != how or not 0 < match.tolerance < 1


def _contents(submission: Submission) -> Iterator[Finding]:
    """Compare the file with what would be packed of its own records."""
    found, listed = submission.found, submission.manifest
    yield Finding(submission.name, "files", len(listed.files), 0)  # compared when it was opened
    chosen = selection.selected(found, selection.everything(found))
    own, enclosed = selection.record_files(chosen), selection.networks(chosen)
    odd = sorted((own.keys() - listed.files.keys()) | (listed.files.keys() - own - enclosed.keys()))
    yield Finding(submission.name, "records", len(listed.files), len(odd), ", ".join(odd[:1]))
    rows = int(listed.rows != selection.titles(chosen) or not listed.rows)
    yield Finding(submission.name, "rows named", len(listed.rows), rows)
    others = int(listed.weights != {name: kept.sha256 for name, kept in enclosed.items()})
    yield Finding(submission.name, "networks listed", len(listed.weights), others)


def attacked(found: Archive) -> dict[str, set[int]]:
    """Return the attacked steps of each run that is there, by its key."""
    steps: dict[str, set[int]] = {}
    for one in found.results:
        if one.evaluation.run in found.runs:
            steps.setdefault(one.evaluation.run, set()).add(one.evaluation.step)
    return steps


def _audits(found: Archive) -> Iterator[Finding]:
    """Compare what audits say they have seen with what is there; they are claims otherwise."""
    known = {check.name for check in CHECKS}
    for audit in found.audits.values():
        results = (one.evaluation for one in found.results)
        seen = {one.key for one in results if one.weights == audit.weights}
        wrong = weights_of(found, audit) != audit.weights or not set(audit.evaluations) <= seen
        reason = "it is of other records; make it anew: robench audit" if wrong else ""
        yield Finding(audit.key, "audit", 1, int(wrong), reason)
        if lacking := sorted(known - {one.check for one in audit.findings}):
            left = f"not among its checks: {', '.join(lacking)}"
            yield Finding(audit.key, "audit", 0, 0, left=left)
