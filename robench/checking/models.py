"""Questions to a model: logits, gradients, the same answer every time, weights that can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robench import weights
from robench.architecture import Architecture
from robench.audit.check import Reading, skipped
from robench.checking.check import check, failed, passed
from robench.checking.declaring import settings
from robench.checking.images import Synthetic
from robench.checking.outcome import attacks, audit
from robench.checking.trial import Trial
from robench.errors import UserError
from robench.plugins import Plugin
from robench.records import Setting
from robench.settings import configure

KINDS = (((1, 32, 32), 2), ((3, 32, 32), 10))
"""Images (channels, height, width) and classes that a model is built for."""
ROUNDING = 1e-4
"""Of the largest output: what other batches change in float32."""


@dataclass(frozen=True)
class ModelCase:
    """A model, and where to train it."""

    plugin: Plugin[Architecture]
    given: Mapping[str, Setting]
    root: Path
    device: torch.device

    @property
    def cls(self) -> type[Architecture]:
        """Return the plugin's class."""
        return self.plugin.cls

    def build(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return a fresh network."""
        return configure(self.cls, self.given, self.plugin.name).build(shape, classes)

    def made(self, seed: int = 0) -> nn.Module:
        """Return the network for the last of `KINDS`, initialised under a seed."""
        torch.manual_seed(seed)
        return self.build(*KINDS[-1])

    @cached_property
    def x(self) -> Tensor:
        """Return images for it."""
        return images(KINDS[-1][0])

    @property
    def trial(self) -> Trial:
        """Return a training of two steps."""
        few = Synthetic(channels=3, side=32, classes=10, count=8)
        whole = Trial(self.root / "whole", build=self.build, images=few)
        return replace(whole, batch_size=4, epochs=1, learning_rate=5e-4)

    @cached_property
    def trained(self) -> Trial:
        """Train to the end; raises Untried where that fails, which `training` tells."""
        return self.trial.finished()


def images(shape: tuple[int, int, int]) -> Tensor:
    """Return four images, float32 in [0, 1], the same every time."""
    return torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))


def off(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of outputs, as a share of the largest output."""
    return float((one - other).abs().max() / other.abs().max().clamp_min(1e-12))


@check(
    wants="finite logits (n, classes) for 1 and 3 channels, 2 and 10 classes; no probabilities",
    remedy="build for the shape and classes that are given, and end without softmax; refuse sizes "
    "that it cannot take with a UserError",
)
def logits(case: ModelCase) -> Reading:
    """Does it return a logit a class?"""
    built, refused = [], []
    for shape, classes in KINDS:
        try:
            network = case.build(shape, classes).eval()
        except UserError as error:
            refused.append(str(error))
            continue
        scores = network(images(shape)).detach()
        if tuple(scores.shape) != (4, classes):
            return failed(f"{tuple(scores.shape)} for 4 images and {classes} classes")
        if not bool(torch.isfinite(scores).all()):
            return failed("not finite")
        if bool((scores >= 0).all()) and torch.allclose(scores.sum(1), torch.ones(4), atol=1e-4):
            return failed("rows of probabilities, which sum to 1")
        built.append(f"{shape}: {classes}")
    if not built:
        return failed(f"refused: {'; '.join(refused)}")
    return passed(", ".join(built) + (f"; refused: {'; '.join(refused)}" if refused else ""))


@check(
    wants="a finite gradient, not zero, in each image and in the weights",
    remedy="stay in torch from image to logits: no numpy, no rounding, no detach()",
)
def gradients(case: ModelCase) -> Reading:
    """Do gradients reach the image and the weights?"""
    network, x = case.made().eval(), case.x.clone().requires_grad_()
    value = F.cross_entropy(network(x), torch.arange(4), reduction="sum")
    found = torch.autograd.grad(value, [x, *network.parameters()], allow_unused=True)
    if found[0] is None:
        return failed("the logits do not depend on the image")
    norms = found[0].flatten(1).norm(dim=1)
    if not bool((torch.isfinite(norms) & (norms > 0)).all()):
        return failed(f"norms in the images: {', '.join(f'{float(one):.3g}' for one in norms)}")
    if all(one is None or not bool(one.any()) for one in found[1:]):
        return failed("no weight has a gradient")
    return passed(f"norms in the images from {float(norms.min()):.3g}")


@check(
    wants="the same logits at each pass in evaluation mode",
    remedy="switch dropout and noise off in evaluation mode: use self.training",
)
def determinism(case: ModelCase) -> Reading:
    """Does it give the same answer every time?"""
    network = case.made().eval()
    with torch.no_grad():
        share = off(network(case.x), network(case.x))
    ended = f"passes differ by {share:.1e} of the largest logit"
    return passed(ended) if share <= ROUNDING else failed(ended)


@check(
    wants="an image's logits do not depend on the others in its batch, in evaluation mode",
    remedy="use running statistics in evaluation mode, and normalise each image by itself",
)
def batching(case: ModelCase) -> Reading:
    """Does an image stand for itself?"""
    network = case.made().eval()
    with torch.no_grad():
        share = off(torch.cat([network(one) for one in case.x.split(1)]), network(case.x))
    ended = f"alone or in a batch: {share:.1e} of the largest logit"
    return passed(ended) if share <= ROUNDING else failed(ended)


@check(
    wants="weights written as safetensors and read into another network give the same logits",
    remedy="register all that decides the output as parameters or buffers, and share no tensor "
    "between two names",
)
def weights_kept(case: ModelCase) -> Reading:
    """Is the network its state_dict?"""
    one, other = case.made(seed=1).eval(), case.made(seed=2).eval()
    content = safetensors.torch.save(weights.flatten({"classifier": one}))
    weights.restore(other, safetensors.torch.load(content), "classifier", Path("weights"))
    with torch.no_grad():
        share = off(other(case.x), one(case.x))
    ended = f"logits differ by {share:.1e} of the largest"
    return passed(ended) if share <= ROUNDING else failed(ended)


@check(
    wants="the seed decides the initial weights, and another seed gives others",
    remedy="draw them from torch's global generator, and seed nothing yourself",
)
def seeds(case: ModelCase) -> Reading:
    """Does the seed decide the initial weights?"""
    one, same, other = (_bytes(case.made(seed)) for seed in (1, 1, 2))
    if one != same:
        return failed("other weights from the same seed")
    if one == other:
        return failed("the same weights from two seeds")
    return passed("other weights from another seed alone")


@check(
    wants="a training of two steps, in bf16 too, and a batch of one image in training mode",
    remedy="see the error; the last batch of an epoch may hold one image, and batch norm needs "
    "more than one value a channel",
)
def training(case: ModelCase) -> Reading:
    """Can it be trained?"""
    case.trial.steps()
    replace(case.trial.under("bf16"), precision="bf16").steps()
    value = case.made().train()(case.x[:1])
    if not bool(torch.isfinite(value).all()):
        return failed("logits of one image are not finite in training mode")
    return passed(f"{sum(one.numel() for one in case.made().parameters()):,} parameters")


@check(
    wants="it runs on the device that it is moved to",
    remedy="register constants as buffers, and make tensors on the images' device",
)
def device(case: ModelCase) -> Reading:
    """Does it move to another device?"""
    if case.device.type == "cpu":
        return skipped("there is no other device here")
    replace(case.trial.under("device"), device=case.device).steps()
    return passed(f"trained on {case.device}")


def _bytes(network: nn.Module) -> bytes:
    return safetensors.torch.save(weights.flatten({"classifier": network}))


CHECKS = (
    settings,
    logits,
    gradients,
    determinism,
    batching,
    weights_kept,
    seeds,
    training,
    device,
    attacks,
    audit,
)
