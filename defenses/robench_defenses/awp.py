"""Adversarial weight perturbation on top of PGD (Wu et al., 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench.errors import UserError
from robench.gradient import call_with, still_statistics
from robench_defenses.pgd import PGD


@dataclass
class AWP(PGD):
    """Train on PGD's images with weights that are moved up the loss, too."""

    gamma: float = 0.005
    """Size of the move, in the norm of each layer's weights (the paper: 0.005 for AT)."""

    def __post_init__(self) -> None:
        """Refuse an attack or a move that goes nowhere."""
        super().__post_init__()
        if self.gamma <= 0:
            raise UserError(f"gamma={self.gamma} is not above 0; gamma=0 is the defense 'pgd'")

    def moved_weights(self, model: nn.Module, x: Tensor, y: Tensor) -> Mapping[str, Tensor]:
        """Return the weights of convolutions and dense layers, moved up the loss on images `x`.

        w + gamma ||w|| g / ||g||, layer by layer, g being the gradient: the paper's one step, onto
        the edge of its ball. The move is a constant: the slope by what is moved is that by w. As in
        the authors' code a layer's weights have two dimensions or more, and `weight` in their name:
        scales, tokens and tables of positions stay. UserError where nothing is left to move.
        """
        layers = {
            name: weight
            for name, weight in model.named_parameters()
            if weight.dim() > 1 and "weight" in name and weight.requires_grad
        }
        if not layers:
            raise UserError(
                "awp moves parameters of two dimensions or more with 'weight' in their name, and "
                "the network trains none; name them so, or take the defense 'pgd'"
            )
        with still_statistics(model):
            loss = F.cross_entropy(model(x), y)
        slopes = torch.autograd.grad(loss, list(layers.values()), allow_unused=True)
        return {
            name: weight + self.gamma * _direction(weight.detach(), slope)
            for (name, weight), slope in zip(layers.items(), slopes, strict=True)
            if slope is not None
        }

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on PGD's images, of the network with the moved weights."""
        adversarial = self.perturb(model, x, y)
        self.observe(adversarial - x)
        moved = self.moved_weights(model, adversarial.detach(), y)
        return F.cross_entropy(call_with(model, moved, adversarial), y)


def _direction(weight: Tensor, slope: Tensor) -> Tensor:
    """Return `slope` at the norm of `weight`."""
    return slope * (weight.norm() / slope.norm().clamp_min(1e-20))
