"""L2 geometry that defenses share, against plain arithmetic."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradients import batch, gradient, smooth
from robench.compiling import Compiled
from robench.gradient import (
    call_with,
    loss_gradient,
    norms,
    still_statistics,
    uniform_in_ball,
    with_norm,
    within,
)


def lengths(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(dim=1).sqrt()


@pytest.fixture
def x() -> Tensor:
    """Return three images of lengths 0, 1 and 10."""
    torch.manual_seed(0)
    images = torch.randn(3, 2, 3, 4, dtype=torch.float64)
    return images / lengths(images).view(-1, 1, 1, 1) * torch.tensor([0, 1, 10]).view(-1, 1, 1, 1)


def test_norms_are_one_an_image_and_multiply_with_it(x: Tensor) -> None:
    assert norms(x).shape == (3, 1, 1, 1)
    torch.testing.assert_close(norms(x).flatten(), torch.tensor([0.0, 1, 10]).double())


def test_with_norm_keeps_the_direction(x: Tensor) -> None:
    scaled = with_norm(x, 0.3)
    torch.testing.assert_close(scaled[1:], 0.3 * x[1:] / torch.tensor([1, 10]).view(-1, 1, 1, 1))


def test_zero_has_no_direction_and_stays(x: Tensor) -> None:
    assert torch.equal(with_norm(x, 0.3)[0], torch.zeros(2, 3, 4).double())
    assert torch.equal(within(x, 0.3)[0], torch.zeros(2, 3, 4).double())


@pytest.mark.parametrize("geometry", [with_norm, within])
def test_zero_does_not_spoil_gradients(
    geometry: Callable[[Tensor, float], Tensor], x: Tensor
) -> None:
    x.requires_grad_()
    (slope,) = torch.autograd.grad(geometry(x, 0.3).sum(), x)
    assert torch.isfinite(slope).all()


def test_within_shortens_the_long_and_leaves_the_short(x: Tensor) -> None:
    bounded = within(x, 2.0)
    assert torch.equal(bounded[:2], x[:2])
    torch.testing.assert_close(bounded[2], x[2] / 5)


def test_slopes_of_a_saturated_network_are_finite() -> None:
    network, (x, y) = smooth().float(), batch()
    with torch.no_grad():
        network.last.weight.mul_(1e6)
    slope = loss_gradient(network, x.float(), y, through=True)
    assert (lengths(slope) == 0).any()
    found = gradient((with_norm(slope, 0.1) ** 2).sum(), network)
    assert torch.isfinite(found).all()


def test_points_are_uniform_in_the_ball() -> None:
    torch.manual_seed(0)
    count, radius, dimensions = 20_000, 0.7, 6
    points = uniform_in_ball(torch.zeros(count, 1, 2, 3, dtype=torch.float64), radius)
    assert points.shape == (count, 1, 2, 3)
    share = (lengths(points) / radius).pow(dimensions).sort().values  # uniform in [0, 1]
    expected = (torch.arange(count) + 0.5) / count
    assert float((share - expected).abs().max()) < 1.63 / count**0.5  # Kolmogorov, 1 %
    direction = points.flatten(1) / lengths(points)[:, None]
    covariance = direction.T @ direction / count  # that of a sphere
    torch.testing.assert_close(
        covariance, torch.eye(dimensions).double() / dimensions, atol=0.01, rtol=0
    )
    assert float(direction.mean(dim=0).abs().max()) < 0.02


def test_points_do_not_depend_on_the_memory_layout() -> None:
    x = torch.rand(4, 3, 5, 6)
    last = x.to(memory_format=torch.channels_last)
    torch.manual_seed(0)
    plain = uniform_in_ball(x, 0.5)
    torch.manual_seed(0)
    torch.testing.assert_close(uniform_in_ball(last, 0.5), plain)
    torch.manual_seed(0)
    assert uniform_in_ball(last, 0.5).stride() == last.stride()


def test_loss_gradient_is_each_image_s_own() -> None:
    network, (x, y) = smooth(), batch()
    found = loss_gradient(network, x, y, through=False)
    for image, label, slope in zip(x, y, found, strict=True):
        alone = image[None].clone().requires_grad_()
        loss = F.cross_entropy(network(alone), label[None])
        torch.testing.assert_close(torch.autograd.grad(loss, alone)[0][0], slope)


def test_loss_gradient_keeps_the_graph_only_where_asked() -> None:
    network, (x, y) = smooth(), batch()
    assert not loss_gradient(network, x, y, through=False).requires_grad
    assert loss_gradient(network, x, y, through=True).requires_grad
    with torch.no_grad():
        assert loss_gradient(network, x, y, through=False).any()
    assert not x.requires_grad


def normalised() -> nn.Sequential:
    """Return a network with batch norm, in training."""
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(3)
    network = nn.Sequential(*layers).double()
    network(batch()[0])
    return network


@pytest.mark.parametrize("through", [False, True])
def test_passes_for_images_leave_running_statistics_as_they_are(through: bool) -> None:
    network, (x, y) = normalised(), batch()
    before = [buffer.clone() for buffer in network.buffers()]
    image = x.clone().requires_grad_()
    found = loss_gradient(network, x, y, through=through)
    for buffer, kept in zip(network.buffers(), before, strict=True):
        assert torch.equal(buffer, kept)
    loss = F.cross_entropy(network(image), y, reduction="sum")
    torch.testing.assert_close(found, torch.autograd.grad(loss, image)[0])  # by the batch's own
    for buffer, kept in zip(network.buffers(), before, strict=True):
        assert not torch.equal(buffer, kept)


def test_statistics_that_are_used_stay_in_use() -> None:
    network, (x, _) = normalised().eval(), batch()
    expected = network(x)
    with still_statistics(network):
        assert torch.equal(network(x), expected)
    assert network[1].track_running_stats


def test_a_call_with_other_weights_counts_statistics_and_keeps_the_weights() -> None:
    network, (x, _) = normalised(), batch()
    weight = network.get_parameter("0.weight")
    seen = int(network.get_buffer("1.num_batches_tracked"))
    doubled = call_with(network, {"0.weight": 2 * weight}, x)
    assert network.get_parameter("0.weight") is weight
    assert int(network.get_buffer("1.num_batches_tracked")) == seen + 1
    with torch.no_grad():
        weight.mul_(2)
    assert torch.equal(network(x), doubled)


def test_a_compiled_network_too_keeps_its_weights() -> None:
    network, (x, _) = normalised(), batch()
    before = dict(network.named_parameters())
    compiled = Compiled(network, x.device)
    moved = {name: 2 * weight for name, weight in compiled.named_parameters()}
    found = call_with(compiled, moved, x)
    for name, weight in network.named_parameters():
        assert weight is before[name]
    with torch.no_grad():
        for weight in before.values():
            weight.mul_(2)
    assert torch.equal(network(x), found)
