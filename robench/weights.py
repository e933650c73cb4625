"""Network weights as safetensors, checked against the hash they were recorded with."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor, nn

from robench import files
from robench.errors import UserError

MOST = 2**34
"""Bytes of a file of weights that is read."""
SEAL = "sha256"
"""Of a file's text: the hash of its tensors and its other text."""


def flatten(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return all weights and buffers, each under `network.parameter`."""
    return {
        f"{name}.{key}": tensor.detach().contiguous()
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Write tensors and text in one step; return the file's SHA-256."""
    content = safetensors.torch.save(dict(tensors), dict(metadata))
    files.write(path, content)
    return files.sha256(content)


def save_sealed(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text with the hash of both among the text, for what nothing else names."""
    seal = digest(tensors, _text(metadata))
    save(path, tensors, {**metadata, SEAL: seal})


def load_sealed(path: Path, names: Collection[str]) -> dict[str, Tensor]:
    """Read what `save_sealed` wrote, with the tensors called `names` at least.

    Raises UserError where the file is damaged. One of an older robench has no hash and is believed.
    """
    try:
        files.check(path, MOST)  # safe_open would wait for a pipe
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # beside SafetensorError, what a type unknown to torch leads to
        raise UserError(f"{path} is damaged ({error}); delete it and run again") from None
    seal = metadata.pop(SEAL, None)
    if seal not in (None, digest(tensors, _text(metadata))) or not set(names) <= tensors.keys():
        raise UserError(
            f"{path} is damaged (its bytes are not those that were written); delete it and run "
            "again"
        )
    return tensors


def _text(metadata: Mapping[str, str]) -> str:
    return json.dumps(dict(metadata), sort_keys=True)


def digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """Return a hash of `text` and of all tensors: names, types, shapes, bytes."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def load(path: Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read tensors; raise UserError where the file is missing, damaged or another than recorded."""
    try:
        content = files.read(path, MOST)
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing; restore it, or delete the run folder{_run_of(path)} and "
            "train again"
        ) from None
    except (OSError, MemoryError) as error:
        raise UserError(f"{path} is not a safetensors file ({error})") from None
    if sha256 is not None and files.sha256(content) != sha256:
        raise UserError(
            f"{path} is not the file that was recorded (SHA-256 {files.sha256(content)[:12]}, "
            f"recorded {sha256[:12]}): truncated or of another model; restore it, or delete the "
            "run folder and train again"
        )
    try:
        return safetensors.torch.load(content)
    except Exception as error:  # beside SafetensorError, what a type unknown to torch leads to
        raise UserError(
            f"{path} is not a safetensors file ({error}); nothing else is read"
        ) from None


def _run_of(path: Path) -> str:
    """Return the run folder that weights lie in, to be named; other folders are not to go."""
    found = [one for one in path.parents[:2] if (one / "manifest.json").is_file()]
    return f" {found[0]}" if found else ""


def restore(network: nn.Module, tensors: Mapping[str, Tensor], name: str, path: Path) -> None:
    """Put the tensors under `name.` into `network`, all of them or none."""
    prefix = f"{name}."
    own = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
    expected = {key: (t.shape, t.dtype) for key, t in network.state_dict().items()}
    found = {key: (t.shape, t.dtype) for key, t in own.items()}
    if found != expected:
        odd = sorted(k for k in found.keys() ^ expected.keys()) or sorted(
            k for k in found if found[k] != expected[k]
        )
        raise UserError(f"{path} holds weights of another model: {', '.join(odd[:3])} differ")
    network.load_state_dict(own)
