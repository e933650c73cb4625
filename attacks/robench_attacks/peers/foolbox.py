"""foolbox (Rauber et al., 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from robench.peer import Peer, Run, Target, called, named

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Foolbox(Peer):
    """Names as in `foolbox.attacks`; `eps` is what its calls name `epsilons`."""

    distribution: ClassVar[str] = "foolbox"

    def attack(self, name: str, target: Target, batch_size: int, budget: Mapping[str, Any]) -> Run:
        """Return foolbox's attack, called as its guide does."""
        import foolbox

        own = dict(budget)
        eps = own.pop("eps", None)
        attack = called(named(foolbox.attacks, name), **own)
        device = next(target.network.parameters()).device
        model = foolbox.PyTorchModel(target.network, bounds=(0, 1), device=device)

        def run(x: "Tensor", y: "Tensor") -> "Tensor":
            _, clipped, _ = attack(model, x, y, epsilons=eps)
            return clipped

        return run
