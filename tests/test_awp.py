"""Adversarial weight perturbation: how far and which way weights move, and that they come back."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradients import CLASSES, batch, check_slopes, gradient, same, smooth
from robench.errors import UserError
from robench.gradient import call_with
from robench.settings import configure
from robench_defenses.awp import AWP
from robench_defenses.pgd import PGD

GAMMA = 0.1


def seeded(defense: PGD, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    torch.manual_seed(7)
    return defense.loss(model, x, y)


def adversarial(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    torch.manual_seed(7)
    return PGD(eps=0.4, steps=4).perturb(model, x, y)


def moves(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return by how much each layer's weight moves, one layer at a time."""
    loss, found = F.cross_entropy(model(x), y), {}
    for name in ("first.weight", "last.weight"):
        weight = model.get_parameter(name)
        (slope,) = torch.autograd.grad(loss, weight, retain_graph=True)
        size = weight.detach().square().sum().sqrt() / slope.square().sum().sqrt()
        found[name] = GAMMA * size * slope
    return found


def with_moved(model: nn.Module, move: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Return the loss after moving the weights in place."""
    with torch.no_grad():
        for name, step in move.items():
            model.get_parameter(name).add_(step)
    loss = F.cross_entropy(model(x), y)
    slopes = gradient(loss, model)
    with torch.no_grad():
        for name, step in move.items():
            model.get_parameter(name).sub_(step)
    return torch.cat([loss.detach()[None], slopes])


def test_loss_and_gradient_are_those_at_the_moved_weights() -> None:
    model, (x, y) = smooth(), batch()
    moved = adversarial(model, x, y)
    move = moves(model, moved, y)
    loss = seeded(AWP(eps=0.4, steps=4, gamma=GAMMA), model, x, y)
    expected = with_moved(model, move, moved, y)
    same(torch.cat([loss.detach()[None], gradient(loss, model)]), expected)
    check_slopes(
        gradient(loss, model), lambda: with_moved(model, move, moved, y)[0], model.parameters()
    )


def test_the_network_keeps_its_weights() -> None:
    model, (x, y) = smooth(), batch()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    seeded(AWP(), model, x, y).backward()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_each_layer_moves_by_gamma_of_its_norm_and_raises_the_loss() -> None:
    model, (x, y) = smooth(), batch()
    found = AWP(gamma=0.02).moved_weights(model, x, y)
    assert found.keys() == {"first.weight", "last.weight"}
    for name, weight in found.items():
        own = model.get_parameter(name)
        same((weight - own).norm(), 0.02 * own.norm())
    with torch.no_grad():
        after, before = call_with(model, found, x), model(x)
    assert float(F.cross_entropy(after, y)) > float(F.cross_entropy(before, y))


class Tokens(nn.Module):
    """Has what torchvision's networks have beside weights, of two dimensions or more."""

    def __init__(self) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.ones(1, 1, 4))
        self.pos_embedding = nn.Parameter(torch.ones(1, 3, 4))
        self.layer_scale = nn.Parameter(torch.ones(4, 1, 1))
        self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
        self.table = nn.ParameterDict({"relative_position_bias_table": torch.ones(3, 1)})
        self.last = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        rows = x.flatten(1)[:, :8].view(-1, 2, 4)
        rows = torch.cat([self.class_token.expand(len(x), -1, -1), rows], dim=1)
        rows = rows + self.pos_embedding + self.table["relative_position_bias_table"]
        found = self.attention(rows, rows, rows, need_weights=False)[0][:, 0]
        return self.last(found * self.layer_scale.flatten())


def test_what_is_no_weight_of_a_layer_stays() -> None:
    torch.manual_seed(0)
    model, (x, y) = Tokens().double(), batch()
    every = {name for name, one in model.named_parameters() if one.dim() > 1}
    slopes = torch.autograd.grad(F.cross_entropy(model(x), y), list(model.parameters()))
    assert all(bool(slope.any()) for slope in slopes)  # any of them could be moved
    moved = set(AWP().moved_weights(model, x, y))
    assert moved == {"attention.in_proj_weight", "attention.out_proj.weight", "last.weight"}
    assert len(every - moved) == 4


def test_a_network_without_weights_is_refused() -> None:
    class Kernel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = nn.Parameter(torch.ones(32, CLASSES, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1) @ self.kernel

    with pytest.raises(UserError, match="the network trains none; name them so"):
        AWP().loss(Kernel(), *batch())


def test_without_a_move_it_is_pgd_bit_for_bit() -> None:
    model, (x, y) = smooth().float(), batch()
    x = x.float()
    loss = seeded(AWP(gamma=1e-30), model, x, y)  # too little to change a weight
    expected = seeded(PGD(), model, x, y)
    assert torch.equal(loss, expected)
    assert torch.equal(gradient(loss, model), gradient(expected, model))


def test_a_layer_that_nothing_depends_on_stays() -> None:
    model, (x, y) = smooth(), batch()
    model.register_module("idle", nn.Linear(2, 2).double())
    assert AWP().moved_weights(model, x, y).keys() == {"first.weight", "last.weight"}
    nn.init.zeros_(model.last.weight)
    moved = AWP().moved_weights(model, x, y)  # neither has a slope: the first, or a norm: the last
    assert torch.equal(moved["first.weight"], model.first.weight)
    assert torch.equal(moved["last.weight"], model.last.weight)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"gamma": "0"}, "gamma=0.0 is not above 0; gamma=0 is the defense 'pgd'"),
        ({"eps": "0"}, "eps=0.0 is not above 0"),
    ],
)
def test_settings_that_make_no_defense_are_refused(settings: dict[str, str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        configure(AWP, settings, "awp")
