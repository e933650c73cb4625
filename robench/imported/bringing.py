"""A classifier from elsewhere, built, filled, declared, checked and kept under the runs folder."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from robench import weights
from robench.data import Data
from robench.environment import describe
from robench.errors import UserError
from robench.evaluation import Subject
from robench.imported import preflight
from robench.imported.declared import Declared, check_normalisation
from robench.imported.factory import Built, built
from robench.imported.folder import kept, layers, tensors_of
from robench.imported.reading import fill, read_state
from robench.imported.record import Imported
from robench.planning import CACHE
from robench.records import Setting, Settings


@dataclass(frozen=True, eq=False)
class Brought:
    """What a person brings: a classifier, its weights, and what it wants of its input."""

    model: str | nn.Module
    """What builds it (`robench.imported.factory.built`), or itself."""
    file: Path | None = None
    """Its weights; None: those that it comes with."""
    entry: str = ""
    """Of a file with several networks, which."""
    name: str = ""
    """What tables call it; empty: the file's name, or the model's."""
    mean: Sequence[float] = ()
    """Normalisation of images in [0, 1], one value a channel; empty: none, or inside."""
    std: Sequence[float] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Of a model plugin."""
    as_is: bool = False
    """Do not ask whether another range of input would suit it better."""


@dataclass(frozen=True)
class Place:
    """Where it goes: the images it is for, and the runs folder."""

    data: Data
    dataset: str
    dataset_settings: Settings
    runs: Path


def bring(asked: Brought, place: Place) -> tuple[Subject, bool]:
    """Return the classifier as what is attacked, and whether it is new under the runs folder.

    Nothing is written before all checks are passed. Raises UserError for what cannot be had.
    """
    data = place.data
    check_normalisation(asked.mean, asked.std, data.shape[0])
    one = _filled(asked, _made(asked, place))
    own = one.network.float()
    printed = layers(own)
    network = Declared(own, asked.mean, asked.std).to(data.test.y.device).eval()
    if next(network.parameters(), None) is None:
        raise UserError(f"{one.factory} has no weights, so there is nothing that was trained")
    accuracy = preflight.check(network, data, as_is=asked.as_is)
    record = Imported(
        name=asked.name or Path(one.origin).stem or one.factory.partition("@")[0],
        factory=one.factory,
        settings=one.settings,
        layers=printed,
        origin=one.origin,
        origin_sha256=one.origin_sha256,
        mean=tuple(map(float, asked.mean)),
        std=tuple(map(float, asked.std)),
        dataset=place.dataset,
        dataset_settings=place.dataset_settings,
        data=data.hash,
        classes=len(data.classes),
        shape=data.shape,
        tensors=weights.digest(tensors_of(network), ""),
        weights="",
        accuracy=accuracy,
        notes=one.notes,
        environment=describe(data.test.y.device),
    )
    return kept(place.runs, record, network)


def _made(asked: Brought, place: Place) -> Built:
    if isinstance(asked.model, str):
        cache = place.runs / CACHE
        return built(asked.model, asked.settings, place.data, place.dataset, cache)
    preflight.check_mode(asked.model)
    kind = type(asked.model)
    try:
        own = copy.deepcopy(asked.model)
    except Exception as error:  # whatever its layers hold
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"the network cannot be copied ({type(error).__name__}: {reason}); give what builds it "
            "instead, as FILE.py:FUNCTION or module:function"
        ) from None
    return Built(own, f"{kind.__module__}:{kind.__qualname__}")


def _filled(asked: Brought, one: Built) -> Built:
    """Put the file's weights into a network, where there is a file."""
    half = sorted({str(p.dtype) for p in one.network.parameters() if p.dtype != torch.float32})
    notes = [f"weights of {', '.join(half)} became float32"] if half else []
    if asked.file is None:
        if asked.entry:
            raise UserError(f"--entry {asked.entry} is of a --model-file, and none is given")
        return replace(one, notes=(*one.notes, *notes))
    if one.origin:
        raise UserError(f"{one.factory} brings its own weights; leave --model-file out")
    state = read_state(asked.file, asked.entry)
    done = fill(one.network, state, asked.file)
    notes = [*done, *notes]
    return replace(one, origin=asked.file.name, origin_sha256=state.sha256, notes=tuple(notes))
