"""Whether the records of a classifier that robench did not train follow from weights and images."""

from collections.abc import Iterator
from pathlib import Path

from robench import mirrors
from robench.archive import Archive
from robench.containment import contained
from robench.data import Data
from robench.evaluation import Subject
from robench.imported.record import IMPORTED, WEIGHTS, Imported
from robench.imported.reopening import rebuildable, reopened
from robench.planning import data_at_hand, data_of
from robench.verification import Finding, check_evaluation, damage


def asked_for(found: Archive, words: str) -> tuple[Imported, ...]:
    """Return the classifiers that are called `words`, by key or name; often none."""
    return tuple(one for one in found.imported.values() if words in (one.key, one.name))


def verify_imported(
    found: Archive,
    there: Imported,
    data_dir: Path | None,
    device: str,
    runs: Path | None = None,
    model: str | None = None,
) -> Iterator[Finding]:
    """Compare the records of a classifier with what is, as `robench.verification.verify` does.

    `runs`: where weights and data lie if `found` is a leaderboard's. `model`: what builds it; left
    out, predictions are compared only where an installed model does.
    """
    at = runs or found.root
    path = contained(at, at / IMPORTED / there.key / WEIGHTS)
    if runs is None:
        data: Data | None = data_of(there, data_dir, at, device)
    else:
        data = data_at_hand(there, data_dir, at, device)
        if data is None:
            why = "the data set is not at hand; say --data-dir"
            yield Finding(there.key, "pixels", 0, 0, left=why)
    subject: Subject | None = None
    mirrors.fetch(path)
    if runs is not None and not path.is_file():
        yield Finding(there.key, "predictions", 0, 0, left=f"no weights at {path}")
    else:
        reason = damage(path, there.weights)
        yield Finding(there.key, "weights", 1, int(bool(reason)), reason)
        if model is None and not rebuildable(there):
            why = f"built by {there.factory}; say --model"
            yield Finding(there.key, "predictions", 0, 0, left=why)
        elif data is not None and not reason:
            subject = reopened(at, there, data, model)
    for result in found.results:
        if result.evaluation.run == there.key:
            yield from check_evaluation(found, lambda _: subject, result, data)
