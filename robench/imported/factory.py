"""From what a person names as `--model` to a network, with the weights that it brings along."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from robench.architecture import Architecture
from robench.data import Data
from robench.errors import UserError
from robench.imported.reading import fill, read_state
from robench.plugins import MODELS, ZOOS, executed, resolved
from robench.records import Setting, Settings
from robench.settings import configure, values_of


@dataclass(frozen=True, eq=False)
class Built:
    """A network, and what it is known by."""

    network: nn.Module
    factory: str
    """As records have it."""
    settings: Settings = field(default_factory=dict)
    """Of a model plugin."""
    origin: str = ""
    """Name of the file of weights that a zoo had for it."""
    origin_sha256: str = ""
    notes: tuple[str, ...] = ()


def built(model: str, given: Mapping[str, Setting], data: Data, dataset: str, cache: Path) -> Built:
    """Return the network that `model` names, for the images and classes of `data`.

    `model`: `ZOO:NAME` of an installed zoo, an installed model, `FILE.py:NAME` or `module:name`,
    where a function, or a class, is called without arguments and a network is taken as it is.
    `given`: settings of an installed model. `cache`: where a zoo keeps its files. Raises UserError
    for what there is not.
    """
    zoo, colon, name = model.partition(":")
    if colon and zoo in ZOOS.names():
        _refuse_settings(model, given)
        return _exhibited(model, zoo, name, dataset, cache)
    if not colon and not model.endswith(".py"):
        plugin = MODELS.get(model)
        architecture = configure(plugin.cls, given, plugin.name)
        return _of_architecture(plugin.name, architecture, data)
    known, found = _found(model)
    if isinstance(found, type) and issubclass(found, Architecture):
        return _of_architecture(known, configure(found, given, known), data)
    _refuse_settings(model, given)
    if isinstance(found, nn.Module):
        return Built(found, known)
    if not callable(found):
        raise UserError(f"{model} is a {type(found).__name__}; name a function or a class")
    return Built(_called(model, found), known)


def _found(model: str) -> tuple[str, object]:
    """Return what `FILE.py:NAME` or `module:name` is, under the name that records know it by."""
    place, _, name = model.partition(":")
    if place.endswith(".py"):
        module, digest = executed(place, "network")
        if name not in vars(module):
            own = [
                one
                for one, value in vars(module).items()
                if getattr(value, "__module__", "") == module.__name__
            ]
            raise UserError(
                f"{place} has no {name!r}; name what builds the network, {place}:NAME, of: "
                f"{', '.join(own) or 'nothing'}"
            )
        return f"{Path(place).stem}:{name}@{digest}", vars(module)[name]
    try:
        return model, resolved(model, "network")
    except UserError as error:
        if not Path(f"{place}.py").is_file():
            raise
        raise UserError(f"{error}; of the file here, write ./{place}.py:{name}") from None


def _called(model: str, function: Callable[[], Any]) -> nn.Module:
    try:
        with torch.random.fork_rng(devices=[]):
            network = function()
    except Exception as error:  # whatever a stranger's function raises
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{model} does not build a network when called without arguments "
            f"({type(error).__name__}: {reason}); name a function that returns one"
        ) from error
    if not isinstance(network, nn.Module):
        raise UserError(
            f"{model} returned a {type(network).__name__}; it must return a torch.nn.Module"
        )
    return network


def _of_architecture(name: str, architecture: Architecture, data: Data) -> Built:
    with torch.random.fork_rng(devices=[]):
        network = architecture.build(data.shape, len(data.classes))
    return Built(network, name, values_of(architecture))


def _exhibited(model: str, zoo: str, name: str, dataset: str, cache: Path) -> Built:
    plugin = ZOOS.get(zoo)
    found = configure(plugin.cls, {}, plugin.name).fetch(name, dataset, cache / zoo)
    state = read_state(found.weights, found.entry)
    notes = fill(found.network, state, found.weights, lenient=True)
    return Built(found.network, model, {}, found.weights.name, state.sha256, notes)


def _refuse_settings(model: str, given: Mapping[str, Setting]) -> None:
    if given:
        raise UserError(
            f"--set model.{next(iter(given))}: {model} is no model of robench's and has no "
            "settings; write a function that builds the network as it is wanted"
        )
