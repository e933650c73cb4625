"""Whether the records of a classifier that robench did not train follow from weights and images."""

from collections.abc import Iterator
from pathlib import Path

from robench import mirrors, weights
from robench.archive import Archive
from robench.containment import contained
from robench.data import Data
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
    given = (there, data_dir, at, device)
    data = data_of(*given) if runs is None else data_at_hand(*given)
    yield from verify_network(found, there, data, at, model, whole=runs is None)


def verify_network(
    found: Archive,
    there: Imported,
    data: Data | None,
    at: Path,
    model: str | None,
    *,
    whole: bool = False,
) -> Iterator[Finding]:
    """Compare a classifier as `verify_imported` does; `data` is what it was brought in for, if had.

    `at`: the folder that holds its weights. `whole`: they have to be there.
    """
    if data is None:
        why = "the data set is not at hand; say --data-dir"
        yield Finding(there.key, "pixels", 0, 0, left=why)
    path, subject = contained(at, at / IMPORTED / there.key / WEIGHTS), None
    mirrors.fetch(path)
    if not whole and not path.is_file():
        yield Finding(there.key, "predictions", 0, 0, left=f"no weights at {path}")
    else:
        reason = _unlike(path, there)
        yield Finding(there.key, "weights", 1, int(bool(reason)), reason)
        if model is None and not rebuildable(there):
            why = f"built by {there.factory}; say --model"
            yield Finding(there.key, "predictions", 0, 0, left=why)
        elif data is not None and not reason:
            subject = reopened(at, there, data, model)
    for result in found.results:
        if result.evaluation.run == there.key:
            yield from check_evaluation(found, lambda _: subject, result, data)


def _unlike(path: Path, there: Imported) -> str:
    """Return what is wrong with a classifier's weights; its name vouches for their values."""
    reason = damage(path, there.weights)
    if not reason and weights.digest(weights.load(path), "") != there.tensors:
        reason = f"{path} holds other weights than those that {there.key} was named by"
    return reason
