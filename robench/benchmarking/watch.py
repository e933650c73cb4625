"""Counting what a training step sends through its networks, by hooks on the networks themselves."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from torch import Tensor, nn

Way = Literal["forward", "inputs", "weights", "through"]
"""A forward pass; a backward pass for the inputs alone; one for the weights (and the inputs, where
they are asked as well); what differentiating a backward pass for the inputs adds to those."""
WAYS: tuple[Way, ...] = get_args(Way)
Call = tuple[Any, ...]
"""The arguments of a network."""


@dataclass(eq=False)
class Seen:
    """What went through the watched networks."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: dict[str, Call] = field(default_factory=dict)
    """By network, the arguments of one of its calls, detached; they ask for gradients as then, and
    it is a call that asked for some if there was one."""

    def note(self, network: str, call: Call) -> None:
        """Remember the arguments of a call, if they tell more than those remembered."""
        if network in self.calls and not any(
            isinstance(one, Tensor) and one.requires_grad for one in call
        ):
            return
        self.calls[network] = tuple(
            one.detach().requires_grad_(one.requires_grad) if isinstance(one, Tensor) else one
            for one in call
        )

    def passes(self, steps: int) -> dict[tuple[str, Way], float]:
        """Return passes a step, by network and way, where there were any."""
        found: dict[tuple[str, Way], float] = {}
        for network in self.calls:
            counts = {way: self.events[network, way] for way in WAYS}
            counts["inputs"] = self.events[network, "backward"] - counts["weights"]
            found |= {(network, way): counts[way] / steps for way in WAYS if counts[way]}
        return found


@contextmanager
def watched(networks: Mapping[str, nn.Module]) -> Iterator[Seen]:
    """Count the passes of `networks`, each by its name, until the end of the block.

    A backward pass counts where gradient reaches what a call returned. It is one for the weights
    where gradient reaches the call's first weight: a network whose first weight rests is not
    understood. A pass counts as one whatever its batch.
    """
    seen = Seen()
    with ExitStack() as stack:
        for name, network in networks.items():
            for handle in _hooked(name, network, seen):
                stack.callback(handle.remove)
        yield seen


def _hooked(name: str, network: nn.Module, seen: Seen) -> Iterator[Any]:
    owner, attribute = _first_weight(network)

    def counter(way: str) -> Callable[[Tensor], None]:
        def count(slope: Tensor) -> None:
            seen.events[name, way] += 1
            if way == "input" and slope.requires_grad:  # kept to be differentiated
                slope.register_hook(counter("through"))

        return count

    def alias(tensor: Tensor, way: str) -> Tensor:
        """Return the tensor as this call alone sees it: a leaf adds up the slopes of all calls."""
        if tensor.requires_grad:
            tensor = tensor.view_as(tensor)
            tensor.register_hook(counter(way))
        return tensor

    def before(_: nn.Module, call: Call) -> Call:
        seen.events[name, "forward"] += 1
        seen.note(name, call)
        owner.__dict__[attribute] = alias(owner._parameters[attribute], "weights")  # type: ignore[arg-type]
        return tuple(alias(one, "input") if isinstance(one, Tensor) else one for one in call)

    def after(_: nn.Module, __: Call, result: Tensor) -> None:
        del owner.__dict__[attribute]
        if result.requires_grad:
            result.register_hook(counter("backward"))

    yield network.register_forward_pre_hook(before)
    yield network.register_forward_hook(after)


def _first_weight(network: nn.Module) -> tuple[nn.Module, str]:
    path, _ = next(iter(network.named_parameters()))
    place, _, attribute = path.rpartition(".")
    return network.get_submodule(place), attribute
