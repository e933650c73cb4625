"""Files of weights from elsewhere: tensors are read, and nothing else."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from robench import files, weights
from robench.errors import UserError
from robench.imported import refusing
from robench.imported.refusing import SAFE

PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
"""What wrappers put before the names of weights: DataParallel, torch.compile, Lightning."""


@dataclass(frozen=True, eq=False)
class State:
    """Weights as a file holds them, and what was done to them."""

    tensors: Mapping[str, Tensor]
    sha256: str
    """Of the file."""
    notes: tuple[str, ...]


def read_state(path: Path, entry: str = "") -> State:
    """Read the weights in a safetensors file, or in what `torch.save` wrote.

    Of the latter only what `torch.load(weights_only=True)` takes. `entry`: what to take of a file
    that holds several networks, as `ema`. Raises UserError for what is not there or holds more.
    """
    try:
        content = files.read(path, weights.MOST)
    except FileNotFoundError:
        raise UserError(f"there is no file of weights {path}; say --model-file FILE") from None
    except (OSError, MemoryError) as error:
        raise UserError(f"{path} is no file of weights ({error})") from None
    found, notes = _parsed(path, content), list[str]()
    while True:
        chosen = _inner(found, entry, path)
        if chosen is None:
            break
        found, entry = found[chosen], "" if chosen == entry else entry
        notes.append(f"the weights are those under {chosen!r}")
    if entry:
        raise UserError(f"{path} has no entry {entry!r}; it has: {_listed(found)}")
    tensors = {str(key): one for key, one in found.items() if isinstance(one, Tensor)}
    if not tensors:
        raise UserError(f"{path} holds no weights; it holds: {_listed(found)}. Write: {SAFE}")
    if left := [str(key) for key in found if str(key) not in tensors]:
        notes.append(f"left out, as they are no weights: {', '.join(left[:5])}")
    return State(tensors, files.sha256(content), tuple(notes))


def fill(network: nn.Module, state: State, path: Path, *, lenient: bool = False) -> tuple[str, ...]:
    """Put weights into a network, all of them or none; return what was done to make them fit.

    A prefix that a wrapper gave to all names is taken off. `lenient`: constants that the file lacks
    stay as they were built, and what the network has no place for is left out; both are noted.
    Raises UserError for other weights.
    """
    tensors, own = dict(state.tensors), network.state_dict()
    notes = list(state.notes)
    while tensors.keys() != own.keys() and (prefix := _prefix(tensors, own)):
        tensors = {name.removeprefix(prefix): one for name, one in tensors.items()}
        notes.append(f"{prefix!r} was taken off the names of the weights")
    if lenient:
        notes += _completed(network, tensors)
    lacking, further = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if lacking or further:
        raise UserError(
            f"{path} holds weights of another network: it lacks {_some(lacking)}, and has besides "
            f"{_some(further)}; say with --model what builds the network that these are of"
        )
    odd = [name for name in own if tensors[name].shape != own[name].shape]
    if odd:
        shapes = f"{tuple(tensors[odd[0]].shape)} there, {tuple(own[odd[0]].shape)} in the network"
        raise UserError(
            f"{path} holds weights of another size: {odd[0]} is {shapes}; build the network with "
            "the width and the number of classes that it was trained with"
        )
    if other := sorted({str(one.dtype) for n, one in tensors.items() if one.dtype != own[n].dtype}):
        notes.append(f"weights of {', '.join(other)} became those of the network's own type")
    network.load_state_dict(tensors)
    return tuple(notes)


def _completed(network: nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Add the constants that `tensors` lack, and drop what the network has no place for."""
    own, notes = network.state_dict(), list[str]()
    statistics = ("running_mean", "running_var")  # these are learned
    constants = {name for name, _ in network.named_buffers() if not name.endswith(statistics)}
    if built := sorted((own.keys() - tensors.keys()) & constants):
        notes.append(f"not in the file, and as the network was built: {_some(built)}")
        tensors |= {name: own[name] for name in built}
    if dropped := sorted(tensors.keys() - own.keys()):
        notes.append(f"left out, as the network has no place for it: {_some(dropped)}")
        for name in dropped:
            del tensors[name]
    return notes


def _parsed(path: Path, content: bytes) -> Mapping[Any, Any]:
    """Return what a file holds: tensors by name, or dictionaries around them."""
    old = content.startswith(refusing.LEGACY)
    if not old and not content.startswith(b"PK"):
        try:
            return safetensors.torch.load(content)
        except Exception:  # beside SafetensorError, what a type unknown to torch leads to
            raise UserError(f"{path} {refusing.of_form(content)}") from None
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # what a stranger's file does to the reader
        raise UserError(f"{path} {refusing.of_torch(content, error)}") from None
    if not isinstance(found, Mapping):
        raise UserError(f"{path} holds a {type(found).__name__}, no weights by name; write: {SAFE}")
    return found


def _inner(found: Mapping[Any, Any], entry: str, path: Path) -> str | None:
    """Return the key of the dictionary that holds the weights; None where `found` is that."""
    inside = [key for key, one in found.items() if isinstance(one, Mapping) and _holds(one)]
    if entry and entry in inside:
        return entry
    if not inside or any(isinstance(one, Tensor) for one in found.values()):
        return None
    if len(inside) > 1:
        lacks = f"has no entry {entry!r}, and " if entry else ""
        several = ", ".join(map(str, inside))
        raise UserError(f"{path} {lacks}holds several networks: {several}; say --entry NAME")
    return str(inside[0])


def _holds(value: Mapping[Any, Any]) -> bool:
    """Tell whether there are tensors by name in a dictionary, or in those inside it."""
    return any(
        isinstance(key, str)
        and (isinstance(one, Tensor) or (isinstance(one, Mapping) and _holds(one)))
        for key, one in value.items()
    )


def _prefix(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """Return what all names of weights begin with and the network's do not; nothing if nothing."""
    return next(
        (
            one
            for one in PREFIXES
            if all(name.startswith(one) for name in tensors)
            and not all(name.startswith(one) for name in own)
        ),
        "",
    )


def _listed(found: Mapping[Any, Any]) -> str:
    return ", ".join(f"{key} ({type(one).__name__})" for key, one in [*found.items()][:8]) or "none"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "nothing") + more
