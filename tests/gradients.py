"""A small smooth network in float64 and slopes by finite differences, to check losses against."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHAPE, CLASSES = (2, 4, 4), 3


class Smooth(nn.Module):
    """Two layers, twice differentiable everywhere, so that finite differences are exact."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(SHAPE[0], 5, kernel_size=3)
        self.last = nn.Linear(5 * 2 * 2, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        return self.last(F.softplus(3 * self.first(x)).flatten(1))


def smooth() -> Smooth:
    """Return a network, the same each time."""
    torch.manual_seed(0)
    network = Smooth().double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    return network


def batch() -> tuple[Tensor, Tensor]:
    """Return images of which many pixels lie on or near the edges of the box, and labels."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(6, *SHAPE, generator=generator, dtype=torch.float64)
    return (1.2 * x - 0.1).clamp(0, 1), torch.tensor([0, 1, 2, 2, 1, 0])


def gradient(loss: Tensor, network: nn.Module) -> Tensor:
    """Return the gradient of `loss` with respect to all weights, as one vector."""
    parameters = list(network.parameters())
    parts = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.cat(
        [
            (torch.zeros_like(p) if part is None else part).flatten()
            for p, part in zip(parameters, parts, strict=True)
        ]
    )


def same(found: Tensor, expected: Tensor) -> None:
    """Require equality but for rounding in float64."""
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def check_slopes(
    found: Tensor, value: Callable[[], Tensor], parameters: Iterable[Tensor], count: int = 4
) -> None:
    """Compare a gradient with central differences of `value` along random directions.

    `value` is computed anew, from whatever seed it sets itself, with the weights moved.
    """
    weights = list(parameters)
    sizes = [weight.numel() for weight in weights]
    generator = torch.Generator().manual_seed(2)
    for _ in range(count):
        direction = torch.randn(sum(sizes), generator=generator, dtype=torch.float64)
        step = 1e-6 * direction
        ends = []
        for sign in (1, -1):
            _shift(weights, sign * step)
            ends.append(float(value().detach()))
            _shift(weights, -sign * step)
        slope = (ends[0] - ends[1]) / 2e-6
        expected = float(found @ direction)
        assert abs(slope - expected) < 1e-5 * float(found.norm()) + 1e-8, (slope, expected)


@torch.no_grad()
def _shift(weights: list[Tensor], step: Tensor) -> None:
    parts = step.split([weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.add_(part.view_as(weight))
