"""A network wrapped for ART gives the network's own answers."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robench.errors import UserError
from robench.estimator import wrap


class Doubling(nn.Sequential):
    """A Sequential with a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return 2 * x


def layers() -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Conv2d(3, 4, 3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, 5)]


@pytest.mark.parametrize("kind", [nn.Sequential, Doubling])
def test_predictions_are_the_networks_logits(kind: type[nn.Sequential]) -> None:
    network = kind(*layers())
    estimator = wrap(network, (3, 8, 8), 5)
    x = torch.rand(7, 3, 8, 8)
    with torch.no_grad():
        logits = network(x).numpy()
    np.testing.assert_allclose(estimator.predict(x.numpy()), logits, rtol=1e-6)


def test_the_estimator_is_of_images_in_the_unit_box() -> None:
    estimator = wrap(nn.Sequential(*layers()), (3, 8, 8), 5)
    assert tuple(map(float, estimator.clip_values)) == (0.0, 1.0)
    assert estimator.input_shape == (3, 8, 8)
    assert estimator.nb_classes == 5


def test_the_network_is_in_evaluation_mode_and_otherwise_untouched() -> None:
    network = nn.Sequential(*layers()).train()
    network[0].weight.requires_grad_(False)
    weights = list(network.parameters())
    before = [weight.clone() for weight in weights]
    wrap(network, (3, 8, 8), 5)
    assert not any(module.training for module in network.modules())
    assert all(a is b for a, b in zip(network.parameters(), weights, strict=True))
    assert [weight.requires_grad for weight in weights] == [False, True, True, True]
    assert all(torch.equal(a, b) for a, b in zip(weights, before, strict=True))


def test_a_device_unknown_to_art_is_refused() -> None:
    with pytest.raises(UserError, match="cpu and cuda"):
        wrap(nn.Linear(4, 2, device="meta"), (1, 2, 2), 2)
