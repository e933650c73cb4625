"""What a network is said to be, before memory is taken for it: a stranger says it."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from robench import weights
from robench.archive import EVALUATIONS, Archive
from robench.data import Data
from robench.errors import UserError
from robench.imported.record import Imported
from robench.learner import CLASSIFIER
from robench.records import Run
from robench.samples import samples_path
from robench.verification import Finding


def shapes(found: Archive, said: Run | Imported, data: Data | None) -> Finding:
    """Compare the shape of a network's images with those that were kept and with the data set."""
    odd = _odd(found, said)
    if data is not None and (data.shape, len(data.classes)) != (said.shape, said.classes):
        odd.append("the data set")
    count = sum(one.evaluation.run == said.key for one in found.results)
    return Finding(said.key, "shapes", count, len(odd), ", ".join(odd[:1]))


def check_size(path: Path, build: Callable[[], nn.Module]) -> None:
    """Refuse a model that is larger than its weights in the file `path`, if that is there."""
    if not path.is_file():
        return
    there = {name: one for name, one in weights.load(path).items() if name.startswith(CLASSIFIER)}
    try:
        with torch.device("meta"):
            network = build()
    except NotImplementedError:  # it computes with numbers while it is built
        return
    except UserError:
        raise
    except Exception as error:  # whatever sizes that no memory holds lead to
        raise UserError(f"{path.parent} describes no model ({error})") from None
    size = sum(one.numel() for one in network.state_dict().values())
    if size > sum(one.numel() for one in there.values()):
        raise UserError(f"{path} holds weights of another model: of less than {size:,} numbers")


def _odd(found: Archive, said: Run | Imported) -> list[str]:
    """Return the evaluations of a network of which no image was kept, or some of another shape."""
    odd = []
    for record in (one.evaluation for one in found.results if one.evaluation.run == said.key):
        path = samples_path(found.root / EVALUATIONS / f"{record.key}.json")
        kept = found.samples(record.key) if path.exists() else None
        if kept is not None and (not len(kept) or kept.image.shape[1:] != said.shape):
            odd.append(record.key)
    return odd
