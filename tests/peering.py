"""A peer as a third party writes one, contests that name it, and a network to attack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from robench.peer import Peer, Run, Target

CLASSES = 5


class Small(nn.Module):
    """A linear classifier of 3 x 4 x 4 images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.layer(x.flatten(1))


def images(count: int) -> Tensor:
    """Return random images that can be differentiated by."""
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()


@dataclass(frozen=True)
class Steps(Peer):
    """Steps of FGM: `forward` and `backward` passes for each image are exactly `count`."""

    distribution: ClassVar[str] = "torch"

    def attack(self, name: str, target: Target, batch_size: int, budget: Mapping[str, Any]) -> Run:
        """Return `count` steps up the loss, in all `eps` long."""
        count, length = int(budget["count"]), float(budget["eps"]) / int(budget["count"])

        def run(x: Tensor, y: Tensor) -> Tensor:
            if name == "breaks":
                raise RuntimeError("no such luck")
            assert len(x) <= batch_size
            moved = x
            for _ in range(count):
                leaf = moved.detach().requires_grad_()
                loss = torch.nn.functional.cross_entropy(target.network(leaf), y, reduction="sum")
                (slope,) = torch.autograd.grad(loss, leaf)
                norm = slope.flatten(1).norm(dim=1).clamp_min(1e-12)
                moved = (moved + length * slope / norm.view(-1, 1, 1, 1)).clamp(0, 1)
            return moved

        return run


@dataclass(frozen=True)
class Absent(Steps):
    """A peer whose library is not installed."""

    distribution: ClassVar[str] = "robench-no-such-library"


def line(attack: str = "fgm", library: str = "peering:Steps", **budget: object) -> str:
    """Return a line of a contest, in YAML."""
    given = ", ".join(f"{key}: {value}" for key, value in budget.items())
    return f"{{library: '{library}', attack: {attack}, batch_size: 8, budget: {{{given}}}}}"


def contests(path: Path, *lines: str) -> Path:
    """Write a file with one contest, `short`: robench's FGM and then these lines."""
    rows = ["{library: robench, attack: fgm, budget: {eps: 0.5}}", *lines]
    listed = "\n".join(f"      - {row}" for row in rows)
    path.write_text(f"contests:\n  - name: short\n    title: A short one\n    lines:\n{listed}\n")
    return path
