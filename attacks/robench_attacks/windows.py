"""Square windows of images and the pattern that Square fills them with, one window an image.

The pattern is that of Andriushchenko et al. (2020, equation 2 and Figure 3): two bumps of opposite
signs, side by side, falling off from their middles; large in few places, so that little is lost to
clipping.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Windows:
    """One square window in each image, as coordinates relative to its upper left corner."""

    down: Tensor
    """int64 (n, height, 1); `across`: (n, 1, width)."""
    across: Tensor
    side: Tensor
    """int64 (n,), in pixels."""

    @classmethod
    def drawn(cls, side: Tensor, height: int, width: int) -> "Windows":
        """Draw windows uniformly with torch's global generator; `side` (n,) fits the image."""
        rows, columns = (torch.arange(size, device=side.device) for size in (height, width))
        top, left = (_below(size - side + 1) for size in (height, width))
        down, across = rows - top.unsqueeze(1), columns - left.unsqueeze(1)
        return cls(down.unsqueeze(2), across.unsqueeze(1), side)

    @property
    def mask(self) -> Tensor:
        """Tell which pixels lie inside: (n, height, width)."""
        side = self.side.view(-1, 1, 1)
        rows, columns = ((at >= 0) & (at < side) for at in (self.down, self.across))
        return rows & columns

    def bumps(self, turned: Tensor) -> Tensor:
        """Return `bumps` in each window, 0 outside: float64 (n, height, width).

        `turned`, bool, (n, 1, 1): the bumps stand side by side, not one above the other.
        """
        down = torch.where(turned, self.across, self.down)
        across = torch.where(turned, self.down, self.across)
        return bumps(down, across, self.side)


def bumps(down: Tensor, across: Tensor, side: Tensor) -> Tensor:
    """Return a bump in the upper half of each window, its negative below, together of L2 norm 1.

    d pixels from its middle, in the maximum norm, a bump is the sum of 1 / j^2 from j = d + 1 to
    `side` // 2 + 1, up to its scale; both are of one norm. `down`, `across`: int64, broadcast to
    (n, height, width), relative to the windows' corners; the result is float64 of that shape, 0
    outside. A window of one pixel holds the lower bump alone.
    """
    side = side.view(-1, 1, 1)
    half = side // 2
    upper = down < half
    middle = torch.where(upper, half // 2, half + (side - half) // 2)
    away = torch.maximum((down - middle).abs(), (across - half).abs())
    inside = (down >= 0) & (down < side) & (across >= 0) & (across < side)
    sums = _sums(int(half.max()) + 1 if len(side) else 1, down.device)
    bump = (sums[half + 1] - sums[torch.minimum(away, half)]) * inside
    return _normal(_normal(bump * upper) - _normal(bump * ~upper))


def _sums(count: int, device: torch.device) -> Tensor:
    """Return the sums of 1 / j^2 from j = 1 to 0, 1, ... `count`."""
    terms = torch.arange(count + 1, dtype=torch.float64, device=device).square().reciprocal()
    terms[0] = 0
    return terms.cumsum(dim=0)


def _normal(values: Tensor) -> Tensor:
    return values / values.square().sum(dim=(1, 2), keepdim=True).sqrt().clamp_min(1e-12)


def _below(limit: Tensor) -> Tensor:
    """Draw one integer from 0 to each limit, (n,), less 1."""
    drawn = torch.rand(limit.shape, dtype=torch.float64, device=limit.device)
    return (drawn * limit).long()
