"""Whether a run's records still follow from its weights: nothing in them is believed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from robench import archive, panel, weights
from robench.archive import EVALUATIONS, Result
from robench.attacking import BATCH, exact, judge
from robench.campaign import opened
from robench.containment import contained
from robench.data import Data
from robench.errors import UserError
from robench.evaluation import Subject
from robench.outcomes import Outcomes
from robench.panel import Panel
from robench.planning import data_of
from robench.samples import Samples, samples_path

CLOSE = 1e-3
"""Where the recorded and the predicted class are nearer in their logits than this share of the
largest logit, another machine's rounding decides between them: no mismatch."""
NEAR = 1e-5
"""Share by which a recomputed norm may differ."""


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

    @property
    def matches(self) -> bool:
        """Tell whether nothing differed."""
        return not self.differing


def verify(root: Path, key: str, data_dir: Path | None, device: str) -> Iterator[Finding]:
    """Compare the records of a run under `root` with what its weights and the images give now.

    Each checkpoint's file against its hash; then, for every evaluation of the run: the images
    against their hash, the predictions on all of them, and, of the adversarial images that were
    kept, pixels, predictions, success and norms. Raises UserError where there is no such run.
    """
    found = archive.read(root)
    run = found.runs.get(key)
    if run is None:
        there = ", ".join(sorted(found.runs)) or "none"
        raise UserError(f"no finished run {key!r} under {root}; there: {there}")
    data = data_of(run.spec, data_dir, root, device)
    for kept in run.checkpoints:
        name = f"{key}, step {kept.step}"
        path = contained(root / key, root / key / kept.file)
        reason = _damage(path, kept.sha256)
        yield Finding(name, "weights", 1, int(bool(reason)), reason)

    @cache
    def subject(step: int) -> Subject:
        return opened(root / key, run, step, data)

    for result in (one for one in found.results if one.evaluation.run == key):
        yield from _evaluation(root, subject, result, data)


def _damage(path: Path, sha256: str) -> str:
    """Return what is wrong with a file of weights, or an empty string."""
    try:
        weights.load(path, sha256)
    except UserError as error:
        return str(error)
    return ""


def _evaluation(
    root: Path, subject_at: Callable[[int], Subject], result: Result, data: Data
) -> Iterator[Finding]:
    record, outcomes = result.evaluation, result.outcomes
    try:
        subject = subject_at(record.step)
        shown = panel.of(data, outcomes.index.astype(np.int64))
    except (UserError, IndexError):  # other weights, or images that the data set lacks
        yield Finding(record.key, "network and images", 1, 1)
        return
    same = (shown.hash == record.images, subject.checkpoint.sha256 == record.weights)
    yield Finding(record.key, "network and images", 2, 2 - sum(same))
    wrong = _differing(subject, shown.x, outcomes.clean)
    yield Finding(record.key, "predictions", len(shown), int(wrong.sum()))
    path = samples_path(root / EVALUATIONS / f"{record.key}.json")
    if path.exists():
        kept = Samples.load(contained(root, path))
        bad = _samples(subject, kept, outcomes, shown, record.radius)
        yield Finding(record.key, "adversarial images", len(kept), int(bad.sum()))


def _samples(
    subject: Subject, kept: Samples, outcomes: Outcomes, shown: Panel, radius: float | None
) -> NDArray[np.bool_]:
    """Tell which of the images kept do not do what the record says of them."""
    count = len(kept)
    part = Panel(shown.index[:count], shown.x[:count], shown.y[:count], shown.hash)
    if len(part) < count or kept.image.shape != part.x.shape:
        return np.ones(count, dtype=bool)
    now = judge(subject.network, kept.adversarial, part, radius).outcomes
    pixels = (kept.image != part.x).reshape(count, -1).any(axis=1)
    moved = ~np.isclose(now.norm, outcomes.norm[:count], rtol=NEAR, atol=1e-7, equal_nan=True)
    moved &= ~np.isnan(outcomes.norm[:count])  # an older robench did not record it
    turned = _differing(subject, kept.adversarial, outcomes.adversarial[:count])
    fooled = (now.success != outcomes.success[:count]) & (
        now.adversarial == outcomes.adversarial[:count]
    )
    wrong: NDArray[np.bool_] = pixels | moved | turned | fooled
    return wrong


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


def mismatches(findings: Sequence[Finding]) -> int:
    """Return how many comparisons showed a difference."""
    return sum(not one.matches for one in findings)
