"""Training on noise: how much, where from, and the loss on it."""

import pytest
import torch
from torch.nn import functional as F

from gradients import batch, gradient, same, smooth
from robench.errors import UserError
from robench.settings import configure
from robench_defenses.ascent import noise
from robench_defenses.gaussian import Gaussian


def test_loss_and_gradient_are_those_on_noisy_images() -> None:
    model, (x, y) = smooth(), batch()
    torch.manual_seed(7)
    loss = Gaussian(sigma=0.3).loss(model, x, y)
    torch.manual_seed(7)
    noisy = x + 0.3 * torch.randn(x.shape, dtype=x.dtype)
    expected = F.cross_entropy(model(noisy), y)
    same(loss, expected)
    same(gradient(loss, model), gradient(expected, model))


def test_the_noise_is_normal_and_of_the_deviation_asked() -> None:
    torch.manual_seed(0)
    drawn = noise(torch.zeros(100, 3, 20, 20), 0.25)  # 120,000 numbers
    assert abs(float(drawn.mean())) < 4 * 0.25 / 120_000**0.5
    assert float(drawn.std()) == pytest.approx(0.25, rel=4 / 240_000**0.5)
    assert float((drawn.abs() < 0.25).float().mean()) == pytest.approx(0.6827, abs=0.006)


def test_the_noise_is_the_same_whatever_the_layout() -> None:
    x = torch.zeros(4, 3, 8, 8)
    torch.manual_seed(3)
    first = noise(x, 1.0)
    torch.manual_seed(3)
    assert torch.equal(noise(x.to(memory_format=torch.channels_last), 1.0), first)


def test_the_mean_perturbation_is_that_of_the_noise() -> None:
    model, (x, y) = smooth(), batch()
    defense = Gaussian(sigma=0.3)
    torch.manual_seed(7)
    defense.loss(model, x, y)
    torch.manual_seed(7)
    lengths = (0.3 * torch.randn(x.shape, dtype=x.dtype)).flatten(1).norm(dim=1)
    assert defense.mean_perturbation() == pytest.approx(float(lengths.mean()), rel=1e-6)


def test_no_noise_is_refused() -> None:
    with pytest.raises(UserError, match=r"sigma=0\.0 is not above 0; sigma=0 is 'baseline'"):
        configure(Gaussian, {"sigma": "0"}, "gaussian")
