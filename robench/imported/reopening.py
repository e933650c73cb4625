"""A classifier that was brought in before, opened again: its images, its network, its weights."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from robench import weights
from robench.containment import contained
from robench.data import Data
from robench.errors import UserError
from robench.evaluation import Subject
from robench.imported.declared import Declared
from robench.imported.factory import built
from robench.imported.record import IMPORTED, WEIGHTS, Imported
from robench.learner import CLASSIFIER
from robench.planning import CACHE, builder
from robench.plugins import MODELS


def rebuildable(there: Imported) -> bool:
    """Tell whether a record suffices to build the network: no function that one names is called."""
    return there.factory in MODELS.names()


def bare(there: Imported) -> Callable[[], nn.Module]:
    """Return what builds the network of a record that suffices for it, its weights left out.

    UserError for settings that the model does not have.
    """
    return builder(there.factory, there.settings, there.shape, there.classes)


def reopened(root: Path, there: Imported, data: Data, model: str | None = None) -> Subject:
    """Return a classifier that lies under the runs folder `root`, on the device of `data`.

    `model`: what builds it, as `robench eval --model` had it; None where an installed model does.
    Raises UserError where it is not said, builds another network, or the weights are damaged.
    """
    if model is None and not rebuildable(there):
        raise UserError(
            f"{there.key} was built by {there.factory}, and a record runs no function; say --model "
            "with what builds it, as robench eval had it"
        )
    given = (there.settings if rebuildable(there) else {}, data, there.dataset, root / CACHE)
    one = built(model or there.factory, *given)
    if one.factory != there.factory:
        raise UserError(
            f"{there.key} was built by {there.factory}, --model {model} is {one.factory}: another "
            "function, or its file has changed; evaluate that as a network of its own"
        )
    path = contained(root, root / IMPORTED / there.key / WEIGHTS)
    network: nn.Module = Declared(one.network.float(), there.mean, there.std)
    weights.restore(network, weights.load(path, there.weights), CLASSIFIER, path)
    device: torch.device = data.test.y.device
    return Subject(there, there.checkpoint, network.to(device).eval())
