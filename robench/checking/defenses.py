"""Questions to a defense: its strength, its losses, its training, its end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from robench.audit.check import Reading, skipped
from robench.checking.check import Untried, check, failed, passed
from robench.checking.declaring import settings
from robench.checking.images import Synthetic
from robench.checking.networks import Small
from robench.checking.outcome import attacks, audit
from robench.checking.trial import CPU, Trial
from robench.defense import Defense
from robench.errors import UserError
from robench.learner import CLASSIFIER
from robench.plugins import Plugin
from robench.records import Setting
from robench.settings import configure, declared
from robench.training import autocast


@dataclass(frozen=True)
class DefenseCase:
    """A defense, and where to train with it."""

    plugin: Plugin[Defense]
    given: Mapping[str, Setting]
    root: Path
    device: torch.device

    @property
    def cls(self) -> type[Defense]:
        """Return the plugin's class."""
        return self.plugin.cls

    def fresh(self) -> Defense:
        """Return the defense as a new run gets it."""
        return configure(self.cls, self.given, self.plugin.name)

    @property
    def trial(self) -> Trial:
        """Return the training that the checks look at."""
        return Trial(self.root / "whole", self.plugin.name, self.fresh)

    @cached_property
    def trained(self) -> Trial:
        """Train to the end; raises Untried where that fails, which `training` tells."""
        return self.trial.finished()

    def losses(self, seed: int = 0, count: int = 12) -> tuple[nn.Module, dict[str, Tensor]]:
        """Return a classifier and the first losses asked of it, on a batch of `count` images."""
        data = self.trial.data
        torch.manual_seed(0)
        defense, model = self.fresh(), Small(data.shape, len(data.classes))
        defense.networks(data.shape, len(data.classes))
        x, y = data.train.floats(slice(0, count)), data.train.y[:count]
        kept = x.clone(), y.clone()
        torch.manual_seed(seed)
        with autocast(CPU, "float32"):
            rounds = defense.updates(model, x, y)
            losses = dict(next(iter(rounds)))
        if not (torch.equal(x, kept[0]) and torch.equal(y, kept[1])):
            raise UserError("`loss` changed the images or labels in place; work on a copy")
        return model, losses


@check(
    wants="`strength` names a setting that is a number, `stronger` says up or down",
    remedy='write strength: ClassVar[str | None] = "eps" and stronger = "up" or "down"',
)
def strength(case: DefenseCase) -> Reading:
    """Can matching search over a setting?"""
    name, direction = case.cls.strength, case.cls.stronger
    if name is None:
        return skipped("none is declared: matched along its training alone")
    kinds = {field.name: field.kind for field in declared(case.cls)}
    if name not in kinds:
        return failed(f"no setting {name!r}; there are: {', '.join(kinds) or 'none'}")
    if kinds[name] not in (int, float):
        return failed(f"{name} is of type {kinds[name].__name__}")
    if direction not in ("up", "down"):
        return failed(f"stronger is {direction!r}")
    return passed(f"{name}, stronger {direction}")


@check(
    wants="each loss is one finite number; images and labels are left as they are",
    remedy="return the mean over the images, a tensor without dimensions, of a function that is "
    "finite at any image; change copies",
)
def loss(case: DefenseCase) -> Reading:
    """Does the defense return losses that can be descended?"""
    _, losses = case.losses()
    for name, value in losses.items():
        if not isinstance(value, Tensor) or value.dim():
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            return failed(f"the loss of {name} is no scalar tensor, but {shape}")
        if not bool(torch.isfinite(value)):
            return failed(f"the loss of {name} is {value.item()}")
    return passed(", ".join(f"{name} {value.item():.4g}" for name, value in losses.items()))


@check(
    wants="the classifier's loss has a gradient in its weights that is finite and not zero",
    remedy="compute the loss from model(...) outside torch.no_grad(), without detach() or item()",
)
def gradients(case: DefenseCase) -> Reading:
    """Does the loss depend on the classifier's weights?"""
    model, losses = case.losses()
    if CLASSIFIER not in losses:
        return failed(f"no loss for {CLASSIFIER!r} among {', '.join(losses) or 'none'}")
    value = losses[CLASSIFIER]
    if not value.requires_grad:
        return failed("the loss does not depend on any weight")
    found = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
    norms = [float(one.norm()) for one in found if one is not None]
    size = sum(norm**2 for norm in norms) ** 0.5
    if not (norms and 0 < size < float("inf")):
        return failed(f"the gradient's norm is {size}")
    return passed(f"norm {size:.3g}")


@check(
    wants="a batch of one image has a finite loss",
    remedy="take no variance or standard deviation over the batch, and keep its dimension: the "
    "last batch of an epoch may hold one image",
)
def single(case: DefenseCase) -> Reading:
    """Does it take a batch of one image?"""
    _, losses = case.losses(count=1)
    bad = [name for name, value in losses.items() if not bool(torch.isfinite(value).all())]
    return failed(f"not finite: {', '.join(bad)}") if bad else passed("finite")


@check(
    wants="two epochs of training end with finite weights, stored as safetensors",
    remedy="see the error; networks beside the classifier hold tensors alone in their state_dict, "
    "and share none",
)
def training(case: DefenseCase) -> Reading:
    """Can it be trained?"""
    case.trial.steps()
    return passed(f"{len(case.trial.weights()):,} bytes of weights")


@check(
    wants="images of 1 and 3 channels, 2 and 10 classes",
    remedy="take the number of channels and classes from x, model(x) and what `networks` is given",
)
def shapes(case: DefenseCase) -> Reading:
    """Does it train on other images?"""
    for images in (Synthetic(channels=1, classes=2), Synthetic(channels=3, classes=10)):
        small = replace(images, count=24)
        replace(case.trial.under("shapes"), images=small, epochs=1).steps()
    return passed("trained on both")


@check(
    wants="training under bf16 autocast stays finite",
    remedy="write torch.autocast(x.device.type, enabled=False) around what underflows, and "
    ".float() before differences of nearly equal numbers",
)
def precision(case: DefenseCase) -> Reading:
    """Does it train in bf16?"""
    replace(case.trial.under("bf16"), precision="bf16", epochs=1).steps()
    return passed("trained")


@check(
    wants="the same weights, to the byte, from the same seed",
    remedy="draw from torch's global generator alone, not from numpy's, Python's or one of your "
    "own; depend on no time, no order of a set, nothing kept outside the object",
)
def determinism(case: DefenseCase) -> Reading:
    """Does the seed decide the weights?"""
    again = case.trained.under("again")
    again.steps()
    if again.weights() != case.trained.weights():
        return failed("two trainings with one seed ended with other weights")
    return passed("two trainings ended alike")


@check(
    wants="another seed gives other random numbers",
    remedy="leave the seeding to the harness: no torch.manual_seed and no generator of your own",
)
def seeds(case: DefenseCase) -> Reading:
    """Where it draws random numbers, does the seed decide them?"""
    drawn, values = [], []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        _, losses = case.losses(seed=seed)
        drawn.append(not torch.equal(before, torch.get_rng_state()))
        values.append({name: value.item() for name, value in losses.items()})
    if not any(drawn):
        return skipped("it draws no random numbers")
    if values[0] == values[1]:
        return failed("the same losses from two seeds")
    return passed("other losses from another seed")


@check(
    wants="a run interrupted after an epoch ends with the same bytes as one that was not",
    remedy="keep what training changes in the networks that `networks` returns, parameters and "
    "buffers: attributes of the defense are lost at an interruption",
)
def resume(case: DefenseCase) -> Reading:
    """Does an interrupted run go on as if nothing had been?"""
    other, again = case.trained.under("resumed"), case.trained.under("again")
    if again.folder.done.exists() and again.weights() != case.trained.weights():
        raise Untried("no two trainings end alike; see `determinism`")
    other.steps(epochs=1)
    other.steps()
    if other.weights() != case.trained.weights():
        return failed("other weights than without the interruption")
    return passed("the same bytes")


@check(
    wants="it trains on the device that it is given",
    remedy="make tensors on the images' device: torch.randn(x.shape, device=x.device)",
)
def device(case: DefenseCase) -> Reading:
    """Does it move to another device?"""
    if case.device.type == "cpu":
        return skipped("there is no other device here")
    replace(case.trial.under("device"), device=case.device, epochs=1).steps()
    return passed(f"trained on {case.device}")


CHECKS = (
    settings,
    strength,
    loss,
    gradients,
    single,
    training,
    shapes,
    precision,
    determinism,
    seeds,
    resume,
    device,
    attacks,
    audit,
)
