"""Training on images with Gaussian noise (Cohen et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from robench.defense import Defense
from robench.errors import UserError
from robench_defenses.ascent import noise


@dataclass
class Gaussian(Defense):
    """Train on images with Gaussian noise added, which may leave [0, 1]."""

    strength: ClassVar[str | None] = "sigma"

    sigma: float = 0.12
    """Standard deviation of the noise, in pixel values; the paper's are 0.12 to 1."""

    def __post_init__(self) -> None:
        """Refuse noise that is none."""
        if self.sigma <= 0:
            raise UserError(f"sigma={self.sigma} is not above 0; sigma=0 is 'baseline'")

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy on the noisy images."""
        added = noise(x, self.sigma)
        self.observe(added)
        return F.cross_entropy(model(x + added), y)
