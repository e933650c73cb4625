"""The folder of a brought-in classifier: its weights and its manifest, written and read back."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from torch import Tensor, nn

from robench import files, weights
from robench.containment import contained
from robench.evaluation import Subject
from robench.imported.declared import Declared
from robench.imported.record import IMPORTED, MANIFEST, WEIGHTS, Imported, read
from robench.learner import CLASSIFIER
from robench.runs import write_json


def layers(network: nn.Module) -> str:
    """Return the hash of a network's layers, as torch prints them."""
    printed = re.sub(" at 0x[0-9a-f]+", "", repr(network))  # where a function lies, this time
    return files.sha256(printed.encode())[:16]


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Return all weights and buffers by name, none of which shares its memory with another."""
    flat = weights.flatten({CLASSIFIER: network})
    return {name: one.cpu().clone() for name, one in flat.items()}


def kept(root: Path, wanted: Imported, network: Declared) -> tuple[Subject, bool]:
    """Return the classifier as what is attacked, and whether it had to be stored under `root`.

    `wanted`: its record, without the hash of the file that is written here.
    """
    folder = contained(root, root / IMPORTED / wanted.key)
    manifest = contained(root, folder / MANIFEST)
    if manifest.exists():
        there = read(manifest)
        weights.load(contained(root, folder / WEIGHTS), there.weights)  # raises if damaged
        return Subject(there, there.checkpoint, network), False
    text: Mapping[str, str] = {IMPORTED: wanted.key}  # equal weights, other networks: other hashes
    sha256 = weights.save(folder / WEIGHTS, tensors_of(network), text)
    record = replace(wanted, weights=sha256)
    write_json(manifest, asdict(record))  # last: it vouches for the weights
    return Subject(record, record.checkpoint, network), True
