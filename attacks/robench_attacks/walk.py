"""A walk along the decision boundary to the image's foot on it: minimal L2 norm in few passes.

The idea is that of "walking on the edge" (BP; Zhang et al., 2020), and its step that of FAB (Croce
& Hein, 2020) and SuperDeepFool (Abdollahpoorrostam et al., 2023): linearise the boundary where you
stand, and go towards its nearest point. What differs here: the point is put back on the boundary
in full and slides along it by a falling share of the way, so that a curved boundary is followed;
and each image walks from two starts, since the nearest foot depends on it: from DeepFool's point,
and from that of a short DDN, which searches farther around.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from robench.attack import Attack, Presets
from robench_attacks.boundary import Found, walk
from robench_attacks.ddn import DDN, ddn
from robench_attacks.deepfool import DeepFool
from robench_attacks.gradient import broad
from robench_attacks.limits import at_least
from robench_attacks.network import Network

if TYPE_CHECKING:
    from art.attacks import EvasionAttack
    from art.estimators.classification import PyTorchClassifier


@dataclass(frozen=True)
class BoundaryWalk(Attack):
    """The nearest foot on the boundary that two walks find."""

    minimal: ClassVar[bool] = True
    reduced_precision: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    presets: ClassVar[Presets] = {"standard": ({},), "strong": ({},)}

    steps: int = 20
    """Steps of each walk."""
    deepfool_steps: int = 50
    """Most steps of DeepFool, whose point one walk starts from."""
    ddn_steps: int = 20
    """Steps of DDN, whose point the other starts from; 0: no second walk."""

    def __post_init__(self) -> None:
        at_least(self, steps=1, deepfool_steps=1, ddn_steps=0)

    def build(self, estimator: "PyTorchClassifier") -> "EvasionAttack":
        """Return the attack as a drop-in for ART's."""
        from robench_attacks.device import DeviceAttack

        return DeviceAttack(estimator, self)

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Return the attacked images; see `boundary_walk`."""
        return boundary_walk(network, x, y, self)


def boundary_walk(network: Network, x: Tensor, y: Tensor, budget: BoundaryWalk) -> Tensor:
    """Return the nearest image found that is not classified as `y`, or `x` itself where none was.

    `x`: (n, ...) in [0, 1]; `y`: int64 (n,). An image that is misclassified already comes back as
    it is.
    """
    starts = DeepFool(steps=budget.deepfool_steps).perturb(network, x, y)
    split = (part.split(network.lanes) for part in (x, y, starts))
    walked = [
        _walked(network, image, label, start, budget)
        for image, label, start in zip(*split, strict=True)
    ]
    return torch.cat(walked) if walked else x.clone()


def _walked(network: Network, x: Tensor, y: Tensor, start: Tensor, budget: BoundaryWalk) -> Tensor:
    """Return the nearest points of both walks of one batch."""
    found = walk(network, Found.at(network, x, y), start, budget.steps)
    if not budget.ddn_steps:
        return found.nearest
    other = ddn(network, x, y, DDN(steps=budget.ddn_steps))
    other = walk(network, other, other.nearest, budget.steps)
    nearer = broad(other.distance < found.distance, x)
    return torch.where(nearer, other.nearest, found.nearest)
