"""Whether a submission is true, as far as its records, weights and the images at hand can tell."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from robench import leaderboard, weights
from robench.archive import EVALUATIONS, Archive
from robench.audit.auditing import CHECKS
from robench.containment import contained
from robench.data import Data
from robench.errors import UserError
from robench.learner import CLASSIFIER
from robench.planning import classifier_of, data_at_hand
from robench.questions import row_names
from robench.records import Match, Run, RunSpec, digest
from robench.samples import samples_path
from robench.submissions import selection
from robench.submissions.attacks import declared, repeated
from robench.submissions.copied import copied
from robench.submissions.opening import Submission
from robench.verification import Finding, verify_run

NEAR = 1e-9
"""Rounding of an accuracy."""


def inspect(
    submission: Submission,
    data_dir: Path | None,
    device: str,
    runs: Path | None,
    again: int = 0,
) -> Iterator[Finding]:
    """Compare everything of a submission with everything else: nothing in it is believed.

    The file with what `robench submit` packs; matches with the checkpoints that they name; records
    with each other; then each run as `robench verify` does, with the weights that are enclosed and
    the images in `data_dir`, or in the cache of `runs` (None: no such folder); at last, pages are
    made of them. What cannot be compared is a finding with `left`. `again`: repeat the attacks on
    so many images of each evaluation, and the audits, where weights and images are there; 0: none.
    Raises UserError where `data_dir` holds other images, or a record leads to no page.
    """
    found, name = submission.found, submission.name
    yield from _contents(submission)
    wrong = [one for one in found.matches if contradicts(found.runs.get(one.run), one)]
    reason = f"{wrong[0].variant}, seed {wrong[0].seed}" if wrong else ""
    yield Finding(name, "matches", len(found.matches), len(wrong), reason)
    yield from copied(found, found)
    yield from declared(found)
    yield from _audits(found)
    data_of = _finder(data_dir, runs or found.root, device)
    for key in attacked(found):
        yield from _run(submission, key, data_of(found.runs[key].spec), device, again)
    pages = leaderboard.pages(found.root)  # raises where none can be made
    yield Finding(name, "pages", len(pages), 0)


def _finder(data_dir: Path | None, runs: Path, device: str) -> Callable[[RunSpec], Data | None]:
    """Return what loads the data set of a run once, or None where it is not at hand."""
    loaded: dict[tuple[str, str, str, int], Data | None] = {}

    def find(spec: RunSpec) -> Data | None:
        settings = digest(dict(spec.dataset_settings))
        key = (spec.dataset, settings, spec.data, spec.validation)
        if key not in loaded:
            loaded[key] = data_at_hand(spec, data_dir, runs, device)
        return loaded[key]

    return find


def _run(
    submission: Submission, key: str, data: Data | None, device: str, again: int
) -> Iterator[Finding]:
    """Compare the attacked networks of one run with its records, and the shapes of all before."""
    found = submission.found
    run, steps = found.runs[key], attacked(found)[key]
    odd = _odd_shapes(found, run)
    if data is not None and (data.shape, len(data.classes)) != (run.shape, run.classes):
        odd.append(f"the data set {run.spec.dataset}")
    yield Finding(key, "shapes", len(steps), len(odd), ", ".join(odd[:1]))
    if odd:
        return
    for step in steps:
        _check_size(found, run, step)
    for one in verify_run(found, key, steps, data, device, found.root):
        without = one.left and one.compared == "predictions"
        yield replace(one, left="the weights are not enclosed") if without else one
    for kept in run.checkpoints if again else ():
        name = f"{key}, step {kept.step}"
        if kept.step not in steps:
            continue
        if data is None or not (found.root / key / kept.file).is_file():
            left = "it takes the weights and the data set"
            yield Finding(name, "attacks repeated", 0, 0, left=left)
        else:
            yield from repeated(submission, key, kept.step, data, again, device)


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
    chosen = selection.selected(found, selection.matched(found))
    own, enclosed = selection.record_files(chosen), selection.networks(chosen)
    odd = sorted((own.keys() - listed.files.keys()) | (listed.files.keys() - own - enclosed.keys()))
    yield Finding(submission.name, "records", len(listed.files), len(odd), ", ".join(odd[:1]))
    rows = int(listed.rows != row_names(chosen) or not listed.rows)
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
        run = found.runs.get(audit.run)
        kept = {one.step: one.sha256 for one in run.checkpoints} if run else {}
        results = (one.evaluation for one in found.results)
        seen = {one.key for one in results if one.weights == audit.weights}
        wrong = kept.get(audit.step) != audit.weights or not set(audit.evaluations) <= seen
        reason = "it is of other records; make it anew: robench audit" if wrong else ""
        yield Finding(audit.key, "audit", 1, int(wrong), reason)
        if lacking := sorted(known - {one.check for one in audit.findings}):
            left = f"not among its checks: {', '.join(lacking)}"
            yield Finding(audit.key, "audit", 0, 0, left=left)


def _odd_shapes(found: Archive, run: Run) -> list[str]:
    """Return the evaluations of a run of which no image was kept, or some of another shape."""
    odd = []
    for record in (one.evaluation for one in found.results if one.evaluation.run == run.key):
        path = samples_path(found.root / EVALUATIONS / f"{record.key}.json")
        kept = found.samples(record.key) if path.exists() else None
        if kept is not None and (not len(kept) or kept.image.shape[1:] != run.shape):
            odd.append(record.key)
    return odd


def _check_size(found: Archive, run: Run, step: int) -> None:
    """Refuse a model that is larger than its weights, before memory is taken for it."""
    kept = next((one for one in run.checkpoints if one.step == step), None)
    path = contained(found.root, found.root / run.key / kept.file) if kept else None
    if path is None or not path.is_file():
        return
    there = {name: one for name, one in weights.load(path).items() if name.startswith(CLASSIFIER)}
    try:
        with torch.device("meta"):
            network = classifier_of(run.spec, run.shape, run.classes)()
    except NotImplementedError:  # it computes with numbers while it is built
        return
    except UserError:
        raise
    except Exception as error:  # whatever sizes that no memory holds lead to
        raise UserError(f"{found.root / run.key} describes no model ({error})") from None
    size = sum(one.numel() for one in network.state_dict().values())
    if size > sum(one.numel() for one in there.values()):
        raise UserError(f"{path} holds weights of another model: of less than {size:,} numbers")
