"""The contract of a peer: another library of attacks, which ours are measured against."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from robench.errors import UserError

if TYPE_CHECKING:
    from art.estimators.classification import PyTorchClassifier
    from torch import Tensor, nn

Run = Callable[["Tensor", "Tensor"], "Tensor"]
"""Attacks one batch: float32 images (n, channels, height, width) in [0, 1] and true labels int64
(n,), both on the network's device, to attacked images of the same shape."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is attacked."""

    network: "nn.Module"
    """float32 images (n, *shape) to logits (n, classes); evaluation mode, weights frozen."""
    shape: tuple[int, int, int]
    """Channels, height and width."""
    classes: int
    estimator: "Callable[[], PyTorchClassifier]"
    """Returns the network as robench itself hands it to ART."""


@dataclass(frozen=True)
class Peer(ABC):
    """A library of L2 attacks. Derive a frozen dataclass that imports the library in `attack`."""

    distribution: ClassVar[str]
    """What it is installed as."""

    @abstractmethod
    def attack(self, name: str, target: Target, batch_size: int, budget: Mapping[str, Any]) -> Run:
        """Return the library's attack called `name`, aimed at `target`.

        `name` and the keywords of `budget` are the library's own, so that nothing is lost in
        translation; `eps` is the L2 radius where the library takes it elsewhere. `batch_size`: the
        most images that the attack is given at once. Raises UserError for a name or a keyword that
        the library does not have.
        """


def named(library: object, name: str) -> Any:
    """Return what `library` calls `name`; UserError where it has nothing public of that name."""
    found = None if name.startswith("_") else getattr(library, name, None)
    if found is None:
        where = getattr(library, "__name__", type(library).__name__)
        raise UserError(f"{where} has no attack {name!r}; see its documentation for what there is")
    return found


def called(attack: Callable[..., Any], *arguments: object, **budget: Any) -> Any:
    """Return `attack(*arguments, **budget)`; UserError where it takes no such budget."""
    try:
        return attack(*arguments, **budget)
    except (TypeError, ValueError) as error:
        name = getattr(attack, "__name__", str(attack))
        raise UserError(f"{name} refuses its budget ({error})") from None
