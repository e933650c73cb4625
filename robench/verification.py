"""Whether records still follow from weights and images: nothing in them is believed."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robench import archive, mirrors, panel, weights
from robench.archive import EVALUATIONS, GENERATORS, Archive, Result
from robench.attacking import BATCH, exact, judge
from robench.containment import contained
from robench.data import Data
from robench.environment import choose_device
from robench.errors import UserError
from robench.evaluation import Subject, open_subject
from robench.fitting import AGAINST
from robench.outcomes import Outcomes
from robench.panel import Panel
from robench.planning import classifier_of, data_at_hand, data_of
from robench.questions import matched_rows, row_names
from robench.rechecking import inconsistent, not_as_recorded, other_images, unlike_runs
from robench.records import Checkpoint, Run
from robench.runs import read_run
from robench.samples import Samples, samples_path
from robench.training import accuracy

CLOSE = 1e-3
"""Where the recorded and the predicted class are nearer in their logits than this share of the
largest logit, another machine's rounding decides between them: no mismatch."""

APART = {"float32": 0.001, "bf16": 0.005}
"""How far accuracies on the same images may lie apart: machines round otherwise."""


@dataclass(frozen=True)
class Finding:
    """What one comparison showed."""

    subject: str
    """Run and step, or the evaluation's key."""
    compared: str
    count: int
    """Of images, files or numbers compared."""
    differing: int
    reason: str = ""
    """The file that is damaged and what to do, where that is known."""
    left: str = ""
    """Why nothing was compared; empty where it was."""

    @property
    def matches(self) -> bool:
        """Tell whether nothing differed."""
        return not self.differing


def asked_for(found: Archive, words: str) -> dict[str, frozenset[int] | None]:
    """Return the runs that a run's key or a row's name stands for, with the steps to look at.

    None: all steps. UserError, with what there is, where there is neither.
    """
    if words in found.runs:
        return {words: None}
    steps: dict[str, set[int]] = {}
    for row in matched_rows(found, words):
        steps.setdefault(row.run.key, set()).add(row.match.step)
    if not steps:
        runs, rows = ", ".join(sorted(found.runs)) or "none", ", ".join(row_names(found)) or "none"
        others = ", ".join(sorted({one.name for one in found.imported.values()}))
        raise UserError(
            f"no finished run and no matched row {words!r} under {found.root}; runs there: {runs}; "
            f"rows: {rows}" + (f"; not trained by robench: {others}" if others else "")
        )
    return {key: frozenset(own) for key, own in steps.items()}


def verify(
    root: Path, words: str, data_dir: Path | None, device: str, runs: Path | None = None
) -> Iterator[Finding]:
    """Compare the records under `root` of a run, or of a row of the leaderboard, with what is.

    Each checkpoint's file against its hash; then, for every evaluation: its outcomes with each
    other and with the runs it names, the images against their hash, the predictions on all of them,
    and, of the adversarial images that were kept, pixels, predictions, success and norms. `runs`:
    the folder of data, and of weights that `root` lacks, where `root` is a leaderboard; what is in
    neither, nor in `data_dir`, is then left, and the finding says so. None: all is under `root`.
    Raises UserError where there is no such run or row.
    """
    found = archive.read(root)
    for key, steps in asked_for(found, words).items():
        given = (found.runs[key].spec, data_dir, runs or root, device)
        data = data_of(*given) if runs is None else data_at_hand(*given)
        yield from verify_run(found, key, steps, data, device, runs)


def verify_run(
    found: Archive,
    key: str,
    steps: Collection[int] | None,
    data: Data | None,
    device: str,
    runs: Path | None,
) -> Iterator[Finding]:
    """Compare one run, or some steps of it, as `verify` does; `data` is the run's, if at hand."""
    run, at = found.runs[key], runs or found.root
    folders = {}
    for kept in run.checkpoints:
        if steps is None or kept.step in steps:
            name, folder = f"{key}, step {kept.step}", _holding(kept, [at, found.root])
            if folder is None and runs is not None:
                left = f"no weights at {at / key / kept.file}"
                yield Finding(name, "predictions", 0, 0, left=left)
                continue
            folders[kept.step] = folder or at / key
            reason = damage(folders[kept.step] / kept.file, kept.sha256)
            yield Finding(name, "weights", 1, int(bool(reason)), reason)
    if data is None:
        why = "the data set is not at hand; say --data-dir"
        yield Finding(key, "pixels", 0, 0, left=why)

    yield from _generators(found, run, at, whole=runs is None)

    @cache
    def subject(step: int) -> Subject | None:
        if step not in folders:
            return None
        build = classifier_of(run.spec, run.shape, run.classes)
        return open_subject(folders[step], run, step, build, choose_device(device))

    matches = {one.step for one in found.matches if one.run == key}
    if data is not None:
        for step in sorted(matches & folders.keys()):
            yield _validation(f"{key}, step {step}", subject, step, data)
    for result in found.results:
        if result.evaluation.run == key and (steps is None or result.evaluation.step in steps):
            yield from check_evaluation(found, subject, result, data)


def _holding(kept: Checkpoint, roots: Sequence[Path]) -> Path | None:
    """Return the first run folder that holds the weights of a checkpoint; None where none does."""
    for root in roots:
        path = contained(root / kept.run, root / kept.run / kept.file)
        mirrors.fetch(path)
        if path.is_file():
            return root / kept.run
    return None


def _generators(found: Archive, run: Run, at: Path, *, whole: bool) -> Iterator[Finding]:
    """Compare what attacks trained against the run, and against its sources, with its hashes.

    `whole`: their weights have to be there.
    """
    attacked = {kept.sha256 for kept in run.checkpoints}
    records = [one.evaluation for one in found.results if one.evaluation.run == run.key]
    attacked |= {one.source_weights for one in records if one.source_weights}
    for done in sorted((at / GENERATORS).glob("*/DONE")):
        trained = read_run(done.parent)
        path = contained(at, contained(done.parent, done.parent / trained.final.file))
        if trained.spec.settings.get(AGAINST) in attacked and (path.exists() or whole):
            reason = damage(path, trained.final.sha256)
            yield Finding(trained.key, "weights", 1, int(bool(reason)), reason)


def damage(path: Path, sha256: str) -> str:
    """Return what is wrong with a file of weights, or an empty string."""
    try:
        weights.load(path, sha256)
    except UserError as error:
        return str(error)
    return ""


def _validation(
    name: str, subject_at: Callable[[int], Subject | None], step: int, data: Data
) -> Finding:
    """Compare the accuracy that a checkpoint was matched by with that on the same images."""
    try:
        subject = subject_at(step)
        assert subject is not None  # weights are there
    except UserError:  # other weights
        return Finding(name, "validation accuracy", 1, 1)
    precision = subject.trained.spec.precision
    off = abs(accuracy(subject.network, data.validation, precision) - subject.checkpoint.accuracy)
    wrong = off > max(APART[precision], 1 / len(data.validation)) + 1e-9
    return Finding(name, "validation accuracy", len(data.validation), int(wrong))


def check_evaluation(
    found: Archive, subject_at: Callable[[int], Subject | None], result: Result, data: Data | None
) -> Iterator[Finding]:
    """Compare one evaluation with its networks and images; what is None is left out."""
    record, outcomes = result.evaluation, result.outcomes
    unlike, wrong = unlike_runs(found, result), inconsistent(result)
    yield Finding(record.key, "networks named", len(unlike), sum(unlike))
    yield Finding(record.key, "outcomes", len(wrong), int(wrong.sum()))
    try:
        subject = subject_at(record.step)
        shown = panel.of(data, outcomes.index.astype(np.int64)) if data else None
    except (UserError, IndexError):  # other weights, or images that the data set lacks
        yield Finding(record.key, "network and images", 1, 1)
        return
    if shown is not None:
        others = other_images(result, shown)
        others += [subject.checkpoint.sha256 != record.weights] if subject else []
        yield Finding(record.key, "network and images", len(others), sum(others))
        if subject is not None:
            said = _differing(subject, shown.x, outcomes.clean)
            yield Finding(record.key, "predictions", len(shown), int(said.sum()))
    path = samples_path(found.root / EVALUATIONS / f"{record.key}.json")
    if path.exists():
        kept = Samples.load(contained(found.root, path))
        bad = not_as_recorded(kept, outcomes, record.radius, shown)
        if subject is not None:
            bad |= _samples(subject, kept, outcomes, shown, record.radius)
        yield Finding(record.key, "adversarial images", len(kept), int(bad.sum()))


def _samples(
    subject: Subject, kept: Samples, outcomes: Outcomes, shown: Panel | None, radius: float | None
) -> NDArray[np.bool_]:
    """Tell which of the images kept the network does not do with what the record says."""
    at = outcomes.places(kept.index)
    if at is None or (shown is not None and kept.image.shape[1:] != shown.x.shape[1:]):
        return np.ones(len(kept), dtype=bool)
    said, part = outcomes.at(at), shown.at(at) if shown is not None else _own_images(kept)
    now = judge(subject.network, kept.adversarial, part, radius).outcomes
    turned = _differing(subject, kept.adversarial, said.adversarial)
    turned |= _differing(subject, part.x, said.clean)
    fooled = (now.success != said.success) & (now.adversarial == said.adversarial)
    wrong: NDArray[np.bool_] = turned | fooled
    return wrong


def _own_images(kept: Samples) -> Panel:
    """Return the images that were kept, where the data set is not at hand to compare them with."""
    return Panel(kept.index.astype(np.int64), kept.image, kept.label.astype(np.int64), hash="")


@torch.no_grad()
def _differing(
    subject: Subject, x: NDArray[np.float32], recorded: NDArray[np.int16]
) -> NDArray[np.bool_]:
    """Tell which images are clearly predicted otherwise than recorded."""
    device = next(subject.network.parameters()).device
    found = []
    with exact():
        for start in range(0, len(x), BATCH):
            part = slice(start, start + BATCH)
            logits = subject.network(torch.from_numpy(x[part]).to(device)).double().cpu()
            said = torch.from_numpy(recorded[part].astype(np.int64)).clamp(0, logits.shape[1] - 1)
            lead = logits.amax(dim=1) - logits.gather(1, said[:, None])[:, 0]
            found.append(~(lead <= CLOSE * logits.abs().amax(dim=1)))  # NaN differs
    return torch.cat(found).numpy()
