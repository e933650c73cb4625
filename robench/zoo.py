"""The contract of a zoo: a dataclass that knows networks trained elsewhere, by name."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A network of a zoo without its weights, and the file that these lie in."""

    network: "nn.Module"
    """Maps images in [0, 1] to logits, normalisation included."""
    weights: Path
    """safetensors, or what `torch.save` wrote. robench reads it: tensors and nothing else."""
    entry: str = ""
    """Of a file with several networks, which."""


@dataclass(frozen=True)
class Zoo(ABC):
    """A collection of trained networks: `robench eval --model ZOO:NAME`."""

    @abstractmethod
    def fetch(self, name: str, dataset: str, cache: Path) -> Exhibit:
        """Return the network called `name` for a data set of robench's; download what is missing.

        Files go under the folder `cache`, which may not exist yet, and are never unpickled here.
        Buffers that the file lacks keep what the network was built with. Raises UserError for what
        the zoo lacks, and where it cannot be had.
        """
