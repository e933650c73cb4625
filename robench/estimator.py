"""A trained torch network as ART's attacks want it."""

from contextlib import nullcontext

import torch
from art.estimators.classification import PyTorchClassifier
from torch import Tensor, nn

from robench.errors import UserError


class _Whole(nn.Module):
    """Hides the layers of an nn.Sequential: ART would run and keep them one by one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def wrap(network: nn.Module, shape: tuple[int, int, int], classes: int) -> PyTorchClassifier:
    """Return `network` as an ART classifier of images in [0, 1], on the device it is on.

    `network` maps float32 images (n, *`shape`), channels first, to logits (n, `classes`). It is
    put into evaluation mode and otherwise left as it is; the weights are shared, not copied.
    Raises UserError on a device that ART does not know (it knows cpu and cuda).
    """
    tensors = [*network.parameters(), *network.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"ART's attacks run on cpu and cuda, the network is on {device.type}")
    network.eval()
    model = _Whole(network).eval() if isinstance(network, nn.Sequential) else network
    # ART takes whatever CUDA device is current
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        return PyTorchClassifier(
            model=model,
            loss=nn.CrossEntropyLoss(),
            input_shape=shape,
            nb_classes=classes,
            clip_values=(0.0, 1.0),
            device_type="gpu" if device.type == "cuda" else "cpu",
        )
