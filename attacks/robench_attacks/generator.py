"""The generator that a network was trained against, attacking it; or a search through it.

A network trained with PGN has met one perturbation an image: that of its generator. Two questions
decide whether it learned more than to resist that one. Does the generator's own direction lead to
an error, taken as far as it needs? And does any image that the generator can make, shown another
gradient image than the true one? The second is an adaptive attack in the sense of Tramer et al.
(2020): what it varies is the generator's input, so that it searches where training has looked.

The search is DDN's (Rony et al., 2019) in the generator's image: the perturbation's direction is
the generator's, its norm is that of a sphere that shrinks on success and grows on failure, and the
gradient image moves so that the loss margin rises there. At equal norm, since the generator could
raise its loss by length alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from robench.attack import AdaptiveAttack, Presets
from robench.errors import UserError
from robench.gradient import norms, with_norm
from robench_attacks.boundary import Found, walk
from robench_attacks.gradient import broad, gradient, loss_margin, unit
from robench_attacks.limits import above_zero, at_least
from robench_attacks.network import Network
from robench_attacks.ray import nearest_on_ray
from robench_defenses.pgn import PGN, in_tanh_space

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier

    from robench.defense import Defense

GAMMA = 0.05
"""Share by which the sphere shrinks or grows in each step, as in DDN."""
LAST_STEP = 0.01
"""Share of `step` that the last step is long; between, it falls like a cosine."""


@dataclass(frozen=True)
class Generator(AdaptiveAttack):
    """The nearest error in the direction of the generator that the network was trained with."""

    minimal: ClassVar[bool] = True
    reduced_precision: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"strong": ({}, {"steps": 100})}

    steps: int = 0
    """Steps of the search through the generator; 0: its perturbation as it makes it."""
    step: float = 10.0
    """L2 length of the first step of the gradient image, in units of a probability's gradient."""
    walk_steps: int = 20
    """Steps of the walk along the boundary that follows; 0: what is found is left there."""

    def __post_init__(self) -> None:
        above_zero(self, "step")
        at_least(self, steps=0, walk_steps=0)

    def suits(self, defense: "Defense") -> bool:
        """Tell whether a generator was trained: by PGN, or by one of its ablations."""
        return isinstance(defense, PGN)

    def aim_at(
        self,
        estimator: "PyTorchClassifier",
        defense: "Defense",
        networks: Mapping[str, nn.Module],
        batch_size: int,
    ) -> "EvasionAttack":
        """Return the attack as a drop-in for ART's.

        Raises UserError where the defense has no generator, or `networks` are not of its making.
        """
        from robench_attacks.device import DeviceAttack

        if not isinstance(defense, PGN):
            raise UserError(
                f"Generator attacks what PGN and its ablations train, not {type(defense).__name__}"
            )
        channels, rows, columns = estimator.input_shape
        _check(defense, networks, (channels, rows, columns), estimator.nb_classes)
        through = Through(self, defense, networks["generator"], batch_size)
        return DeviceAttack(estimator, through)


@dataclass(frozen=True)
class Through:
    """The attack with the generator that it goes through."""

    budget: Generator
    game: PGN
    generator: nn.Module
    trained_batch: int
    """The batch size of its training, which scales the gradient image of preset `code`."""

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the nearest image found that is not classified as `y`, or `x` where none was.

        `x`: (n, channels, height, width) in [0, 1]; `y`: int64 (n,). An image that is
        misclassified already comes back as it is.
        """
        found = Found.at(network, x, y)
        shown = self.game.gradient_image(network, x, y, self.trained_batch).detach()
        _follow(network, found, self.way(shown, x, y))
        if self.budget.steps:
            self._search(network, found, shown)
            _follow(network, found, found.nearest - x)
        there = broad(found.distance.isfinite(), x)
        if self.budget.walk_steps:
            found = walk(network, found, found.nearest, self.budget.walk_steps)
        return torch.where(there, found.nearest, x)  # a walk from the image owes it nothing

    def way(self, shown: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the perturbation that the generator makes of a gradient image (Eq. 5)."""
        z = self.generator(shown, x, y).to(x.dtype)
        return in_tanh_space(x, z) - in_tanh_space(x, torch.zeros_like(z))  # 1e-6 off `x` itself

    def _search(self, network: Network, found: Found, shown: Tensor) -> None:
        """Move what the generator is shown, and keep the nearest misclassified image met."""
        x, y, steps = found.x, found.y, self.budget.steps
        own = norms(self.way(shown, x, y)).flatten()
        radius = torch.where(found.distance.isfinite(), found.distance, own)
        length = self.budget.step / (self.trained_batch if self.game.preset == "code" else 1)
        for step in range(steps):
            with torch.enable_grad():
                shown = shown.detach().requires_grad_()
                way = with_norm(self.way(shown, x, y), 1.0)
                point = (x + broad(radius, x) * way).clamp(0, 1)
                scores = network.search(point)
                margin = loss_margin(scores, y)
            uphill = unit(gradient(margin, shown))
            fooled = found.note(network, point.detach(), scores.detach())
            radius *= torch.where(fooled, 1 - GAMMA, 1 + GAMMA)
            fall = LAST_STEP + (1 - LAST_STEP) * (1 + math.cos(math.pi * step / steps)) / 2
            shown = shown.detach() + length * fall * uphill


def _follow(network: Network, found: Found, way: Tensor) -> None:
    """Keep what is met first on the ways from the images, where it is nearer."""
    nearer = nearest_on_ray(network, found.x, found.y, way)
    found.note(network, nearer, network.search(nearer))


def _check(
    defense: PGN,
    networks: Mapping[str, nn.Module],
    shape: tuple[int, int, int],
    classes: int,
) -> None:
    """Raise UserError unless `networks` are what `defense` builds for such images."""
    with torch.random.fork_rng(devices=[]):
        wanted = defense.generator(shape, classes)
    given = networks.get("generator")
    same = given is not None and _shapes(given) == _shapes(wanted)
    if set(networks) != {"generator"} or not same:
        raise UserError(
            f"the networks given ({', '.join(sorted(networks)) or 'none'}) are not those that "
            f"{type(defense).__name__} builds for {classes} classes of images {shape} under these "
            "settings; give those of the run that trained the classifier"
        )


def _shapes(network: nn.Module) -> Mapping[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items()}
