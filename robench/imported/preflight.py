"""What a classifier from elsewhere is asked before anything attacks it, each with its remedy.

The audit asks some of it again, of everything that was attacked (`robench.audit.wrapper`).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from robench.attacking import exact
from robench.data import Data, balanced
from robench.errors import UserError
from robench.imported.ranges import check_range, logits

IMAGES = 256
"""Test images that a network is tried on, at most."""
ALONE = 4
"""Of these, how many it is shown one by one."""
ROUNDING = 1e-4
"""Of the largest output: what batches and kernels change in float32."""


def check(network: nn.Module, data: Data, *, as_is: bool = False) -> float:
    """Return the benign accuracy, on some test images, of a network that can be attacked.

    `network`: on the device of `data`, for float32 images (n, channels, height, width) in [0, 1].
    `as_is`: do not ask whether another range of input would suit it better. Raises UserError, with
    what to mend, where outputs are not finite logits (n, classes), where they change from pass to
    pass or with the batch, where no gradient reaches the images, and where the accuracy is at
    chance, or much higher under another range.
    """
    chosen = balanced(data.test.y.cpu().numpy(), min(IMAGES, len(data.test)), seed=0)
    index = torch.from_numpy(chosen).to(data.test.y.device)
    x, y = data.test.floats(index).contiguous(), data.test.y[index]
    check_mode(network)
    with exact():
        first = _outputs(network, x[:2], len(data.classes))
        scores = logits(network, x)
        _check_logits(scores)
        _check_fixed(network, x, scores)
        _check_gradient(network, x[:2], first)
        accuracy = float((scores.argmax(dim=1) == y).float().mean())
        if not as_is:
            check_range(network, x, y, accuracy)
    return accuracy


def check_mode(network: nn.Module) -> None:
    """Raise UserError where the network, or a layer that minds, is in training mode."""
    minding = (_NormBase, _DropoutNd)
    for name, layer in network.named_modules():
        if layer.training and (layer is network or isinstance(layer, minding)):
            what = f"its layer {name} ({type(layer).__name__})" if name else "it"
            raise UserError(
                f"the network is in training mode ({what}): outputs would change with the batch "
                "and from pass to pass; call network.eval() first"
            )


@torch.no_grad()
def _outputs(network: nn.Module, x: Tensor, classes: int) -> Tensor:
    """Return what the network gives for two images, once it is a row of classes for each."""
    shape = tuple(x.shape[1:])
    try:
        found: Any = network(x)
    except Exception as error:  # each says in its own way what it was not made for
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"the network does not take images of {shape} (channels, height, width), float32 in "
            f"[0, 1] ({type(error).__name__}: {reason}); resize or reorder them in its forward, "
            "or choose the --dataset that it was made for"
        ) from None
    if not isinstance(found, Tensor):
        raise UserError(
            f"the network returns a {type(found).__name__}, not a tensor of logits; let its "
            "forward return the logits alone"
        )
    if found.ndim != 2 or len(found) != len(x) or not found.is_floating_point():
        raise UserError(
            f"the network returns {found.dtype} of {tuple(found.shape)} for {len(x)} images; "
            f"wanted floats of {(len(x), classes)}, a logit for each image and class"
        )
    if found.shape[1] != classes:
        raise UserError(
            f"the network returns {found.shape[1]} outputs an image and the data set has {classes} "
            "classes; build it with as many outputs, or choose the --dataset that it was made for"
        )
    return found


def _check_logits(scores: Tensor) -> None:
    if not bool(torch.isfinite(scores).all()):
        raise UserError(
            "the network's outputs are not all finite; its weights, or the range of its input "
            "(images are in [0, 1]), are not those that it was trained with"
        )
    inside = bool((scores >= 0).all()) and bool((scores <= 1).all())
    if inside and bool(((scores.sum(dim=1) - 1).abs() <= 1e-4).all()):
        raise UserError(
            "the network returns probabilities (outputs in [0, 1] that sum to 1): a softmax "
            "flattens the gradients that attacks follow; return the logits that go into it"
        )


def _check_fixed(network: nn.Module, x: Tensor, scores: Tensor) -> None:
    if not _same(logits(network, x), scores):
        raise UserError(
            "the network gives other outputs for the same images in a second pass; switch dropout "
            "and noise off (network.eval(), and no functional dropout with training=True): "
            "robench ranks no randomised network"
        )
    if not _same_alone(network, x[:ALONE], scores[:ALONE]):
        raise UserError(
            "an image's outputs depend on the other images of its batch; batch normalisation must "
            "use its running statistics (network.eval(), track_running_stats=True)"
        )


def _check_gradient(network: nn.Module, x: Tensor, first: Tensor) -> None:
    """Raise UserError where attacks could not follow a gradient, be it a bad one."""
    images = x.clone().requires_grad_()
    with torch.enable_grad():
        scores = network(images)
    if scores.requires_grad:
        (slope,) = torch.autograd.grad(scores.sum(), images, allow_unused=True)
        if slope is not None and bool(torch.isfinite(slope).all()):
            return
    raise UserError(
        f"no finite gradient goes from the network's {first.shape[1]} outputs to the images; take "
        "torch.no_grad, detach and numpy out of its forward"
    )


def _same_alone(network: nn.Module, x: Tensor, scores: Tensor) -> bool:
    try:
        alone = torch.cat([logits(network, image) for image in x.split(1)])
    except ValueError:  # a single value has no variance
        return False
    return _same(alone, scores)


def _same(one: Tensor, other: Tensor) -> bool:
    largest = other.abs().max().clamp_min(1e-12)
    return bool((one - other).abs().max() <= ROUNDING * largest)
