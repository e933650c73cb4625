"""Fast adversarial training: FGM where it starts at the image, else written out here."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradients import batch, gradient, same, smooth
from robench.errors import UserError
from robench.gradient import uniform_in_ball
from robench.settings import configure
from robench_defenses.fast import FastAT
from robench_defenses.fgm import FGM


def written_out(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """Return the images after one step of 1.25 eps from the seed's start, one at a time."""
    torch.manual_seed(7)
    found = []
    for image, own, label in zip(x, uniform_in_ball(x, eps), y, strict=True):
        point = (image + own).clamp(0, 1).requires_grad_()
        loss = F.cross_entropy(model(point[None]), label[None])
        (slope,) = torch.autograd.grad(loss, point)
        step = point.detach() + 1.25 * eps * slope / slope.square().sum().sqrt() - image
        length = step.square().sum().sqrt()
        found.append((image + step * min(1.0, eps / float(length))).clamp(0, 1))
    return torch.stack(found)


def test_loss_and_gradient_are_those_written_out() -> None:
    model, (x, y) = smooth(), batch()
    torch.manual_seed(7)
    loss = FastAT(eps=0.4).loss(model, x, y)
    expected = F.cross_entropy(model(written_out(model, x, y, 0.4)), y)
    same(loss, expected)
    same(gradient(loss, model), gradient(expected, model))


def test_from_the_image_with_a_step_of_eps_it_is_fgm() -> None:
    model, (x, y) = smooth(), batch()
    still = FastAT(eps=0.4, start=0.0, step=1.0)
    same(still.perturb(model, x, y), FGM(eps=0.4).perturb(model, x, y))
    same(still.loss(model, x, y), FGM(eps=0.4).loss(model, x, y))


def test_images_stay_in_the_ball_and_the_box() -> None:
    model, (x, y) = smooth(), batch()
    moved = FastAT(eps=0.4, step=3.0).perturb(model, x, y)
    assert 0 <= float(moved.min()) <= float(moved.max()) <= 1
    assert float((moved - x).flatten(1).norm(dim=1).max()) <= 0.4 * (1 + 1e-12)


def test_the_start_comes_from_the_seed() -> None:
    model, (x, y) = smooth(), batch()

    def moved(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return FastAT().perturb(model, x, y)

    assert torch.equal(moved(1), moved(1))
    assert not torch.equal(moved(1), moved(2))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"eps": "0"}, "eps=0.0 is not above 0"),
        ({"step": "0"}, "step=0.0 is not above 0"),
        ({"start": "1.1"}, r"start=1.1 is not in \[0, 1\]"),
        ({"start": "-0.1"}, r"start=-0.1 is not in \[0, 1\]"),
    ],
)
def test_settings_that_make_no_attack_are_refused(settings: dict[str, str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        configure(FastAT, settings, "fast-at")
