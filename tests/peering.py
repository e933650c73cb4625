"""A peer as a third party writes one, and contests that name it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from robench.peer import Peer, Run, Target


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
