"""Any of torchvision's classifiers, by its name there, with fresh weights."""

import difflib
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robench.architecture import Architecture
from robench.errors import UserError

AUXILIARY = ("googlenet", "inception_v3")
"""In training they return further logits beside their own, unless told not to have any."""


class Centred(nn.Module):
    """A network for RGB images, shown images of mean 1/2 and deviation 1/4 with mean 0 and 1.

    Grey images are shown three times over.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for images (n, 1 or 3, height, width) in [0, 1]."""
        x = (4 * x - 2).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        return self.network(x)


@dataclass(frozen=True)
class Torchvision(Architecture):
    """A classifier of torchvision's, untrained; `--set model.name=...`."""

    name: str = "resnet18"
    """As `torchvision.models.list_models(torchvision.models)` has it."""

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network; UserError where it is unknown or does not take such images."""
        channels, height, width = shape
        if channels not in (1, 3):
            raise UserError(
                f"torchvision's classifiers take RGB or grey images, these have {channels} channels"
            )
        network = Centred(_made(self.name, classes, min(height, width)))
        try:
            with torch.no_grad():
                logits = network.eval()(torch.zeros(2, *shape))
        except Exception as error:  # each says in its own way that a map became too small
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"torchvision's {self.name} does not take images of {height} x {width} ({reason}); "
                "resize the images or choose another model.name"
            ) from None
        if logits.shape != (2, classes):
            raise UserError(f"torchvision's {self.name} returns no logits ({tuple(logits.shape)})")
        return network.train()


def _made(name: str, classes: int, side: int) -> Any:
    try:
        from torchvision import models
    except (ImportError, RuntimeError) as error:  # the latter: built for another torch
        reason = str(error).splitlines()[0]
        raise UserError(
            f"torchvision does not import ({reason}); `robench doctor` says how to mend it"
        ) from None
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(
            f"torchvision has no classifier called {name!r}{hint or '.'} It has: {', '.join(known)}"
        )
    own: dict[str, Any] = {}
    if name in AUXILIARY:
        own = {"aux_logits": False, "init_weights": True}
    if name.startswith("vit_"):
        own = {"image_size": side}  # of which its positions are learned
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own deprecations
            return models.get_model(name, weights=None, num_classes=classes, **own)
    except Exception as error:  # each says in its own way what it was not made for
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"torchvision's {name} is not made for images with sides of {side} ({reason}); resize "
            "the images or choose another model.name"
        ) from None
