"""torchattacks (Kim, 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from robench.peer import Peer, Run, Target, called, named


@dataclass(frozen=True)
class Torchattacks(Peer):
    """Names as in `torchattacks`."""

    distribution: ClassVar[str] = "torchattacks"

    def attack(self, name: str, target: Target, batch_size: int, budget: Mapping[str, Any]) -> Run:
        """Return torchattacks' attack: an object that is called with images and labels."""
        import torchattacks

        network = _Contiguous(target.network).eval()
        attack: Run = called(named(torchattacks, name), network, **budget)
        return attack


class _Contiguous(nn.Module):
    """Gives gradients in the layout that torchattacks takes for granted."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(Tensor.contiguous)
        return self.network(x)
