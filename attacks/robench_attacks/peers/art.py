"""adversarial-robustness-toolbox, with its own estimator and with robench's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from robench.peer import Peer, Run, Target, called, named

if TYPE_CHECKING:
    from art.estimators.classification import PyTorchClassifier
    from torch import Tensor


@dataclass(frozen=True)
class ART(Peer):
    """ART's attacks behind its PyTorchClassifier; names as in `art.attacks.evasion`."""

    distribution: ClassVar[str] = "adversarial-robustness-toolbox"

    def attack(self, name: str, target: Target, batch_size: int, budget: Mapping[str, Any]) -> Run:
        """Return ART's attack: it gets numpy arrays, as ART asks."""
        return _aimed(_plain(target), name, batch_size, budget)


@dataclass(frozen=True)
class ARTBehindRobench(Peer):
    """ART's attacks behind robench's estimator, which computes its gradients in fewer passes."""

    distribution: ClassVar[str] = "adversarial-robustness-toolbox"

    def attack(self, name: str, target: Target, batch_size: int, budget: Mapping[str, Any]) -> Run:
        """Return ART's attack: it gets numpy arrays, as ART asks."""
        return _aimed(target.estimator(), name, batch_size, budget)


def _plain(target: Target) -> "PyTorchClassifier":
    from art.estimators.classification import PyTorchClassifier
    from torch import nn

    on_gpu = next(target.network.parameters()).device.type == "cuda"
    return PyTorchClassifier(
        model=target.network,
        loss=nn.CrossEntropyLoss(),
        input_shape=target.shape,
        nb_classes=target.classes,
        clip_values=(0.0, 1.0),
        device_type="gpu" if on_gpu else "cpu",
    )


def _aimed(
    estimator: "PyTorchClassifier", name: str, batch_size: int, budget: Mapping[str, Any]
) -> Run:
    import torch
    from art.attacks import evasion

    attack = called(named(evasion, name), estimator, batch_size=batch_size, **budget)

    def run(x: "Tensor", y: "Tensor") -> "Tensor":
        made = attack.generate(x.cpu().numpy(), y.cpu().numpy())
        return torch.from_numpy(made).to(x.device)

    return run
