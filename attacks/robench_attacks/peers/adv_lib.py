"""adversarial-library (Rony & Ben Ayed)."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from robench.errors import UserError
from robench.peer import Peer, Run, Target, named

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AdvLib(Peer):
    """Names as in `adv_lib.attacks`."""

    distribution: ClassVar[str] = "adv-lib"

    def attack(self, name: str, target: Target, batch_size: int, budget: Mapping[str, Any]) -> Run:
        """Return adversarial-library's attack, a function of network, images, labels and budget."""
        from adv_lib import attacks

        attack = named(attacks, name)
        try:
            inspect.signature(attack).bind(None, None, None, **budget)
        except TypeError as error:
            raise UserError(f"adv_lib.attacks.{name} refuses its budget ({error})") from None

        def run(x: "Tensor", y: "Tensor") -> "Tensor":
            return attack(target.network, x, y, **budget)

        return run
