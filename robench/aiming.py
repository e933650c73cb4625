"""What aims an attack at a checkpoint, with the networks that it needs beside it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from robench.attack import AdaptiveAttack, Aim, TrainedAttack
from robench.data import Data
from robench.errors import UserError
from robench.fitting import fit, read_networks
from robench.planning import defense_of

if TYPE_CHECKING:
    from robench.evaluation import NamedAttack, Subject


def aimed(
    root: Path, subject: "Subject", named: "NamedAttack", data: Data, *, bar: bool = False
) -> Aim:
    """Return what aims an attack at an estimator of `subject`.

    An attack with networks of its own is trained first where it has to be; one made for the
    defense gets what the run of `subject`, under the runs folder `root`, trained.
    """
    attack = named.attack
    if isinstance(attack, TrainedAttack):
        networks = fit(root, subject, named, data, bar=bar)
        batch_size = subject.trained.spec.batch_size
        return partial(attack.aim, networks=networks, batch_size=batch_size)
    if isinstance(attack, AdaptiveAttack):
        spec = subject.trained.spec
        defense = defense_of(spec)
        if defense is None:
            raise UserError(
                f"{named.name} needs the defense {spec.defense}, which is not installed"
            )
        networks = read_networks(root / subject.run.key, defense, subject.network, data)
        batch_size = spec.batch_size
        return partial(attack.aim_at, defense=defense, networks=networks, batch_size=batch_size)
    return attack.build
