"""Train an attack's own networks against one checkpoint, once, and keep them like any run.

RUNS/generators/<key>/ is a run folder (`robench.runs`): the run's defense is the attack's name,
its settings are the attack's and the SHA-256 of the classifier; `history.csv` holds the loss of
the attack's first network, and as accuracy the classifier's own, which does not change.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from robench import weights
from robench.archive import GENERATORS
from robench.attack import TrainedAttack
from robench.containment import contained
from robench.data import Data
from robench.errors import UserError
from robench.records import RunSpec
from robench.runs import RunFolder, read_run
from robench.training import train

if TYPE_CHECKING:
    from robench.defense import Defense
    from robench.evaluation import NamedAttack, Subject

AGAINST = "classifier_sha256"
"""The setting that tells which checkpoint the networks were trained against."""


def fit(
    root: Path, subject: "Subject", named: "NamedAttack", data: Data, *, bar: bool = False
) -> Mapping[str, nn.Module]:
    """Return the networks of an attack, trained against the classifier of `subject` or read back.

    They are trained as the run of `subject` was: on its training images, augmented as there, with
    its batch size, learning rate, moving average, precision and seed. What is returned are the
    moving averages, in evaluation mode, on the classifier's device. `root` is the runs folder.
    Raises UserError where `data` is not that of the run or the attack is not a trained one,
    RunFailed where training diverges.
    """
    attack = named.attack
    if not isinstance(attack, TrainedAttack):
        raise UserError(f"{named.name} is not trained: build it (robench.attack.Attack.build)")
    spec = fitted_spec(subject, named, attack.epochs)
    if (data.hash, data.held_out) != (spec.data, spec.validation):
        raise UserError(
            f"{named.name} is trained on the images of the run {subject.run.key} (hash "
            f"{spec.data}, {spec.validation} held out), not on these ({data.hash}, "
            f"{data.held_out}); load them with robench.planning.data_of"
        )
    for _ in train(
        spec,
        attack.trainer(),
        lambda: copy.deepcopy(subject.network),
        data,
        contained(root, root / GENERATORS),
        frozen=subject.checkpoint,
        bar=bar,
    ):
        pass
    return read_networks(root / GENERATORS / spec.key, attack.trainer(), subject.network, data)


def fitted_spec(subject: "Subject", named: "NamedAttack", epochs: int) -> RunSpec:
    """Return the spec that an attack's training against `subject` is recorded and found under."""
    against = {AGAINST: subject.checkpoint.sha256}
    return replace(
        subject.trained.spec,
        defense=named.name,
        settings={**named.settings, **against},
        epochs=epochs,
        rung=0.0,
    )


def read_networks(
    path: Path, defense: "Defense", classifier: nn.Module, data: Data
) -> Mapping[str, nn.Module]:
    """Return what `defense` trained beside the classifier in the run folder `path`, at its end.

    Moving averages, in evaluation mode, on the device of `classifier`.
    """
    folder = RunFolder(path)
    tensors = weights.load(folder.final, read_run(path).final.sha256)
    with torch.random.fork_rng(devices=[]):
        networks = defense.networks(data.shape, len(data.classes))
    device = next(classifier.parameters()).device
    for name, network in networks.items():
        weights.restore(network, tensors, name, folder.final)
        network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.eval()
    return networks
