"""What robench remembers of a run file: what was asked, and which protocol that is."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Study:
    """What a run file asks, and of which protocol its runs are: what a page reports together."""

    name: str
    """The run file's, without its ending."""
    title: str
    protocol: str
    published: str
    """Whose published results stand beside ours: cifar10, cifar100, or none."""
    file: str
    """The whole text of the run file."""
    environment: Mapping[str, str]
    """Versions, commit, device and command line of the last call that carried it out."""
