"""Networks, their optimizers and their moving averages: what a step changes."""

import copy
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from robench import weights
from robench.errors import UserError
from robench.processes import ALONE, Processes

CLASSIFIER = "classifier"


class Learner:
    """All networks of a run, each with Adam (Table 1) and a moving average of its weights.

    The averages start at the initial weights and have no warm-up; they, not the raw weights, are
    what is evaluated and kept. A `frozen` network stays as it is, in evaluation mode: it has no
    optimizer, is its own average, and is not part of the state.

    Several `processes` each hold all of this, and move alike.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        device: torch.device,
        rate: float,
        ema: float,
        frozen: Collection[str] = (),
        processes: Processes = ALONE,
    ) -> None:
        layout = torch.channels_last
        self.networks = {
            name: network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
            for name, network in networks.items()
        }
        for name in frozen:
            self.networks[name].eval().requires_grad_(False)
        self.trained = {n: net for n, net in self.networks.items() if n not in frozen}
        self.averages = {n: copy.deepcopy(net).eval() for n, net in self.trained.items()}
        self.optimizers = {
            name: torch.optim.Adam(network.parameters(), lr=rate, fused=True)
            for name, network in self.trained.items()
        }
        self.rate = 1 - ema
        self.processes = processes
        self.called = self.classifier
        """What the defense calls: the classifier, compiled or as it is."""

    @property
    def classifier(self) -> nn.Module:
        """Return the network that classifies."""
        return self.networks[CLASSIFIER]

    @property
    def averaged(self) -> nn.Module:
        """Return the classifier's moving average."""
        return self.averages.get(CLASSIFIER, self.classifier)

    @property
    def watched(self) -> str:
        """Name the network whose loss tells how training goes: the first that is trained."""
        return next(iter(self.trained))

    def descend(self, losses: Mapping[str, Tensor], weight: float = 1.0) -> None:
        """Move each named network down its loss; every gradient is taken before any moves.

        Losses of frozen networks are ignored. `weight`: what this process's losses count in the
        batch's, whose gradients are the sum over the processes.
        """
        if unknown := losses.keys() - self.networks.keys():
            raise UserError(
                f"the defense yields a loss for {', '.join(sorted(unknown))}; "
                f"its networks: {', '.join(self.networks)}"
            )
        losses = {name: loss for name, loss in losses.items() if name in self.trained}
        for name, loss in losses.items():
            parameters = list(self.trained[name].parameters())
            gradients = torch.autograd.grad(
                loss, parameters, retain_graph=name != next(reversed(losses)), allow_unused=True
            )
            summed = self._over_all(gradients, parameters, weight)
            for parameter, gradient in zip(parameters, summed, strict=True):
                parameter.grad = None if gradient is None else _laid_out(gradient, parameter)
        for name in losses:
            self.optimizers[name].step()
        torch.clear_autocast_cache()  # it would hand the next round these weights as they were

    @torch.no_grad()
    def average(self) -> None:
        """Move the averages towards the weights; buffers are copied."""
        for name, network in self.trained.items():
            average = self.averages[name]
            torch._foreach_lerp_(
                list(average.parameters()), list(network.parameters()), weight=self.rate
            )
            for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
                kept.copy_(buffer)

    def follow(self) -> None:
        """Take over the weights and buffers of the first process; the weights are so already."""
        for network in (*self.trained.values(), *self.averages.values()):
            self.processes.copy_first(network.state_dict().values())

    def state(self) -> dict[str, Tensor]:
        """Return everything that resuming needs, as named tensors."""
        tensors = {f"raw.{k}": v for k, v in weights.flatten(self.trained).items()}
        tensors |= {f"average.{k}": v for k, v in weights.flatten(self.averages).items()}
        for name, optimizer in self.optimizers.items():
            for index, entries in optimizer.state_dict()["state"].items():
                for key, value in entries.items():
                    tensors[f"adam.{name}.{index}.{key}"] = value.contiguous()
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        """Take back what `state` returned, read from `path`; UserError where it does not fit."""
        for name in self.trained:
            weights.restore(self.trained[name], tensors, f"raw.{name}", path)
            weights.restore(self.averages[name], tensors, f"average.{name}", path)
            optimizer, entries = self.optimizers[name], {}
            for index, like in enumerate(self.trained[name].parameters()):
                prefix = f"adam.{name}.{index}."
                own = {
                    k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)
                }
                if own:  # a parameter that no gradient reached has none
                    entries[index] = _moments(own, like, path)
            optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})

    def _over_all(
        self,
        gradients: Sequence[Tensor | None],
        parameters: Sequence[Tensor],
        weight: float,
    ) -> Sequence[Tensor | None]:
        """Return the gradients of the whole batch."""
        if self.processes.alone:
            return gradients
        filled = [  # messages are of one length, whatever the images of this process used
            torch.zeros_like(parameter) if gradient is None else gradient
            for gradient, parameter in zip(gradients, parameters, strict=True)
        ]
        return self.processes.summed(filled, weight)


def _moments(own: Mapping[str, Tensor], like: Tensor, path: Path) -> dict[str, Tensor]:
    """Return what Adam keeps of a parameter, laid out as it is."""
    shapes = {"step": torch.Size(), "exp_avg": like.shape, "exp_avg_sq": like.shape}
    if {key: value.shape for key, value in own.items()} != shapes:
        raise UserError(f"{path} holds the optimizer of another model; delete it")
    fitting = (value.float() if value.is_floating_point() else value for value in own.values())
    return {
        key: _laid_out(value, like) if value.shape == like.shape else value
        for key, value in zip(own, fitting, strict=True)
    }


def _laid_out(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return `tensor` in the memory layout of `parameter`: fused Adam ignores strides."""
    if tensor.stride() == parameter.stride():
        return tensor
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)
