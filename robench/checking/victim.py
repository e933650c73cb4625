"""What an attack is tried on: a trained network, and a plane whose distances are known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robench import panel
from robench.aiming import aimed
from robench.attack import AdaptiveAttack, Attack, TrainedAttack
from robench.attacking import Verdict, adversaries, judge, predict
from robench.checking.check import Untried
from robench.checking.networks import Plane
from robench.checking.trial import Trial
from robench.errors import UserError
from robench.evaluation import NamedAttack, Subject
from robench.panel import Panel
from robench.plugins import DEFENSES, Plugin
from robench.records import Setting
from robench.settings import configure

IMAGES = 12
SHAPE = (1, 8, 8)
FARTHEST = 0.4
"""Distance from the plane of the farthest image, unless the attack's radius is smaller."""


@dataclass(frozen=True)
class AttackCase:
    """An attack, and where to train what it attacks."""

    plugin: Plugin[Attack]
    given: Mapping[str, Setting]
    root: Path
    device: torch.device

    @property
    def cls(self) -> type[Attack]:
        """Return the plugin's class."""
        return self.plugin.cls

    @cached_property
    def attack(self) -> Attack:
        """Return the attack; one that trains networks first trains them for an epoch."""
        given = {**self.given}
        if issubclass(self.cls, TrainedAttack):
            given.setdefault("epochs", 1)
        try:
            return configure(self.cls, given, self.plugin.name)
        except UserError:
            return configure(self.cls, self.given, self.plugin.name)

    @cached_property
    def trial(self) -> Trial:
        """Return a training that the attack suits; raises Untried where there is none."""
        plain = Trial(self.root / "runs")
        if not isinstance(self.attack, AdaptiveAttack):
            return plain
        for plugin in DEFENSES.available():
            fresh = partial(configure, plugin.cls, {}, plugin.name)
            if self.attack.suits(fresh()):
                return replace(plain, name=plugin.name, defense=fresh)
        raise Untried("no installed defense is one that it suits")

    @cached_property
    def subject(self) -> Subject:
        """Return a trained network."""
        return self.trial.subject()

    @cached_property
    def panel(self) -> Panel:
        """Return the images that it is attacked on."""
        return panel.choose(self.trial.data, IMAGES, 0)

    def attacked(self, shown: Panel, subject: Subject | None = None) -> NDArray[np.float32]:
        """Return adversarial images of the trained network, made as an evaluation makes them."""
        victim = subject or self.subject
        data = replace(self.trial, device=next(victim.network.parameters()).device).data
        named = NamedAttack(self.plugin.name, self.attack)
        aim = aimed(self.trial.root, victim, named, data)
        given = (victim.network, victim.run.classes, self.attack, shown)
        return adversaries(*given, "check", aim=aim, bar=False)[0]

    @cached_property
    def images(self) -> NDArray[np.float32]:
        """Return the adversarial images of all of the panel."""
        return self.attacked(self.panel)

    @cached_property
    def made(self) -> NDArray[np.float32]:
        """Return them again; raises Untried where the attack does not run, which `runs` tells."""
        try:
            return self.images
        except Untried:
            raise
        except Exception as error:
            raise Untried("the attack does not run; see `runs`") from error

    def judged(self, network: nn.Module, made: NDArray[np.float32], shown: Panel) -> Verdict:
        """Measure what the attack returned, without trusting it."""
        return judge(network, made, shown, self.attack.radius)


def plane(radius: float | None) -> tuple[nn.Module, Panel, NDArray[np.float64]]:
    """Return a linear network, images it classifies correctly, and their distances from an error.

    The distances are spread from a tenth to all of `radius`, of `FARTHEST` where there is none.
    """
    network = Plane(SHAPE).eval()
    normal = network.normal.detach().numpy().astype(np.float64)
    draw = np.random.default_rng(0)
    distance = np.linspace(0.1, 1.0, IMAGES) * min(radius or FARTHEST, FARTHEST)
    side = np.where(np.arange(IMAGES) % 2, 1.0, -1.0)
    along = draw.uniform(-0.05, 0.05, (IMAGES, normal.size))
    along -= (along @ normal)[:, None] * normal
    x = 0.5 + along + (side * distance)[:, None] * normal
    pixels = x.reshape(IMAGES, *SHAPE).astype(np.float32)
    labels = predict(network, pixels)
    return network, Panel(np.arange(IMAGES), pixels, labels, "plane"), distance
