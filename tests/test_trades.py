"""TRADES, written out image by image; its limits; and what its ascent reaches."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradients import batch, check_slopes, gradient, same, smooth
from robench.errors import UserError
from robench.settings import configure
from robench_defenses.trades import TRADES

SEED = 7


def seeded(defense: TRADES, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    torch.manual_seed(SEED)
    return defense.loss(model, x, y)


def kl(p: Tensor, q: Tensor) -> Tensor:
    """Return the sum of p log(p / q) of one image."""
    return (p * (p / q).log()).sum()


def shortened(step: Tensor, eps: float) -> Tensor:
    length = step.square().sum().sqrt()
    return step * (eps / length) if length > eps else step


def ascent(model: nn.Module, x: Tensor, eps: float, steps: int) -> Tensor:
    """Return the images that TRADES makes from the seed, one at a time."""
    torch.manual_seed(SEED)
    noise, found = 0.001 * torch.randn(x.shape, dtype=x.dtype), []
    for image, own in zip(x, noise, strict=True):
        still = model(image[None])[0].softmax(0).detach()
        point = (image + shortened(own, eps)).clamp(0, 1)
        for _ in range(steps):
            point = point.detach().requires_grad_()
            (slope,) = torch.autograd.grad(kl(still, model(point[None])[0].softmax(0)), point)
            moved = point.detach() + 2 * eps / steps * slope / slope.square().sum().sqrt()
            point = (image + shortened(moved - image, eps)).clamp(0, 1)
        found.append(point.detach())
    return torch.stack(found)


def written_out(model: nn.Module, x: Tensor, moved: Tensor, y: Tensor, beta: float) -> Tensor:
    p, q = model(x).softmax(1), model(moved).softmax(1)
    apart = torch.stack([kl(a, b) for a, b in zip(p, q, strict=True)])
    return (-p[torch.arange(len(y)), y].log() + beta * apart).mean()


def test_loss_and_gradient_are_those_written_out() -> None:
    model, (x, y) = smooth(), batch()
    loss = seeded(TRADES(beta=3.0, eps=0.4, steps=4), model, x, y)
    moved = ascent(model, x, 0.4, 4)
    expected = written_out(model, x, moved, y, 3.0)
    same(loss, expected)
    same(gradient(loss, model), gradient(expected, model))
    check_slopes(
        gradient(loss, model), lambda: written_out(model, x, moved, y, 3.0), model.parameters()
    )


def test_without_weight_it_is_the_baseline() -> None:
    model, (x, y) = smooth(), batch()
    clean = F.cross_entropy(model(x), y)
    loss = seeded(TRADES(beta=1e-300), model, x, y)
    same(loss, clean)
    same(gradient(loss, model), gradient(clean, model))


def test_images_stay_in_the_ball_and_the_box() -> None:
    model, (x, _) = smooth(), batch()
    for eps in (1e-4, 0.4):  # the first is shorter than the noise it starts from
        moved = TRADES(eps=eps).perturb(model, x, model(x).log_softmax(1))
        assert 0 <= float(moved.min()) <= float(moved.max()) <= 1
        assert float((moved - x).flatten(1).norm(dim=1).max()) <= eps * (1 + 1e-12)


def test_two_classes_of_a_plane_are_moved_along_its_normal() -> None:
    torch.manual_seed(0)
    plane = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).double()
    weight = plane.get_parameter("1.weight").detach()
    normal = (weight[1] - weight[0]) / (weight[1] - weight[0]).norm()
    x = torch.full((5, 3, 2, 2), 0.5, dtype=torch.float64)
    step = (TRADES(eps=0.1).perturb(plane, x, plane(x).log_softmax(1)) - x).flatten(1)
    along = step @ normal  # in whichever of the two directions the noise began
    torch.testing.assert_close(along.abs(), torch.full_like(along, 0.1), rtol=1e-3, atol=0)


def test_it_raises_the_divergence_more_than_chance_does() -> None:
    model, (x, y) = smooth(), batch()

    def apart(moved: Tensor) -> float:
        own = written_out(model, x, moved, y, 1.0) - written_out(model, x, x, y, 1.0)
        return float(own.detach())

    found = TRADES(eps=0.3).perturb(model, x, model(x).log_softmax(1))
    chance = (x + F.normalize(torch.randn_like(x).flatten(1)).view_as(x) * 0.3).clamp(0, 1)
    assert apart(found) > 3 * apart(chance)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"beta": "0"}, "beta=0.0 is not above 0; beta=0 is the defense 'baseline'"),
        ({"eps": "-1"}, "eps=-1.0 is not above 0"),
        ({"steps": "0"}, "steps=0 is not at least 1"),
    ],
)
def test_settings_that_make_no_defense_are_refused(settings: dict[str, str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        configure(TRADES, settings, "trades")
