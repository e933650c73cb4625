"""The loss is the one that is meant."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from robench.errors import UserError
from robench.plugins import DEFENSES
from robench_jitter import Jitter


def batch() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Return a network, images and labels."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    return network, torch.rand(6, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("jitter", [Jitter(sigma=0.0), Jitter(clean=1.0)])
def test_without_noise_it_is_the_cross_entropy(jitter: Jitter) -> None:
    network, x, y = batch()
    assert torch.equal(jitter.loss(network, x, y), F.cross_entropy(network(x), y))


def test_noise_has_the_deviation_that_is_asked_for() -> None:
    jitter, x = Jitter(sigma=0.01), torch.full((100, 1, 8, 8), 0.5)
    torch.manual_seed(0)
    jitter.loss(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), x, torch.zeros(100).long())
    assert jitter.mean_perturbation() == pytest.approx(0.01 * 64**0.5, rel=0.02)


@pytest.mark.parametrize("settings", [{"sigma": -1.0}, {"clean": 1.5}])
def test_what_makes_no_sense_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UserError):
        Jitter(**settings)


def test_the_installed_name_is_this_class() -> None:
    if "jitter" not in DEFENSES.names():
        pytest.skip("the package is not installed")
    assert DEFENSES.get("jitter").cls is Jitter
