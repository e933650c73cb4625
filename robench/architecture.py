"""The contract of a model: a dataclass that builds a network for given images and classes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Architecture(ABC):
    """A family of classifiers. Fields are settings (`--set model.field=value`)."""

    @abstractmethod
    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return a freshly initialised network.

        It maps images in [0, 1] of `shape` = (channels, height, width) to (n, `classes`) logits.
        Normalisation, if any, belongs inside. Randomness comes from torch's global generator.
        """
