"""Questions to an attack: does it keep the rules, and find what is there to be found?"""

import random

import numpy as np
import torch
from numpy.typing import NDArray

from robench.attack import AdaptiveAttack, TrainedAttack
from robench.attacking import BOX, adversaries, exact, predict, reproducible
from robench.audit.check import Reading, skipped
from robench.checking.check import check, failed, passed
from robench.checking.declaring import settings
from robench.checking.victim import AttackCase, plane
from robench.estimator import wrap
from robench.outcomes import LONGER
from robench.panel import Panel
from robench.weights import digest

NEAR = 0.5
"""Share of its radius within which an attack has to find the error of a linear network."""
FAR = 2.0
"""Times the smallest distance at which a minimal attack may find it, in the median."""
MOST = 0.9
"""Share of the images on which it has to."""


@check(
    wants="`minimal = True`, or a `radius` above 0",
    remedy="say minimal: ClassVar[bool] = True if it searches the smallest perturbation, else "
    "return from `radius` the L2 norm that it keeps to",
)
def budget(case: AttackCase) -> Reading:
    """Is it said what it spends?"""
    radius, minimal = case.attack.radius, case.cls.minimal
    if radius is not None and not radius > 0:
        return failed(f"a radius of {radius}")
    if minimal and radius is not None:
        return failed(f"minimal, and a radius of {radius:g}: one of both")
    if radius is not None:
        return passed(f"radius {radius:g}")
    return passed("minimal" if minimal else "neither: nothing bounds its perturbations")


@check(
    wants="`generate` returns an image for each image, of the same shape",
    remedy="see the error; `build` returns an art.attacks.EvasionAttack whose generate(x, y) takes "
    "float32 images and int64 labels",
)
def runs(case: AttackCase) -> Reading:
    """Does it run against a trained network?"""
    made = case.images
    verdict = case.judged(case.subject.network, made, case.panel).outcomes
    return passed(
        f"{int(verdict.success.sum())} of {len(case.panel)} images misclassified after it"
    )


@check(
    wants=f"finite pixels in [0, 1], up to {BOX:g}",
    remedy="clamp(0, 1) what is returned",
)
def box(case: AttackCase) -> Reading:
    """Does it stay in the box?"""
    low, high = float(case.made.min()), float(case.made.max())
    inside = low >= -BOX and high <= 1 + BOX  # false for NaN
    ended = f"pixels from {low:.6g} to {high:.6g}"
    return passed(ended) if inside else failed(ended)


@check(
    wants=f"no perturbation longer than `radius`, up to {LONGER:g} of it",
    remedy="project onto the ball before cutting to [0, 1]; `radius` is an L2 norm on [0, 1]",
)
def radius(case: AttackCase) -> Reading:
    """Does it stay within its radius?"""
    most = case.attack.radius
    if most is None:
        return skipped("it has none")
    moved = (case.made.astype(np.float64) - case.panel.x).reshape(len(case.panel), -1)
    longest = float(np.linalg.norm(moved, axis=1).max())
    ended = f"the longest is {longest:.6g}, the radius {most:g}"
    return passed(ended) if longest <= most * (1 + LONGER) else failed(ended)


@check(
    wants="the same images, to the byte, when asked again under the same seed",
    remedy="draw from torch's or numpy's global generator alone, which the harness seeds, and keep "
    "nothing between two calls",
)
def determinism(case: AttackCase) -> Reading:
    """Does the seed decide what it returns?"""
    first = case.made
    random.random()  # Python's own generator stands elsewhere at another time
    if case.attacked(case.panel).tobytes() != first.tobytes():
        return failed("other images at the second time")
    return passed("the same bytes")


@check(
    wants="the same image whatever others it is attacked with, where no random numbers are drawn",
    remedy="stop each image by itself, and take no mean, maximum or sum over the batch",
)
def batching(case: AttackCase) -> Reading:
    """Is each image attacked by itself?"""
    if _draws(case):
        return skipped("it draws random numbers, which other batches draw otherwise")
    places = np.arange(len(case.panel))
    parts = [case.attacked(_at(case.panel, part)) for part in np.array_split(places, 3)]
    off = float(np.abs(np.concatenate(parts) - case.made).max())
    ended = f"in batches of 4, pixels differ by up to {off:.1e}"
    return passed(ended) if off <= 1e-3 else failed(ended)


@check(
    wants="images that are misclassified already stay so",
    remedy="return an image as it is where network(x) is not y already, or keep the point of "
    "highest loss, the start among them",
)
def misclassified(case: AttackCase) -> Reading:
    """Does it leave errors alone?"""
    if case.cls.minimal:
        return skipped("a minimal attack is not run on them: they count at distance 0")
    said, classes = predict(case.subject.network, case.panel.x), case.subject.run.classes
    shown = Panel(case.panel.index, case.panel.x, (said + 1) % classes, "misclassified")
    verdict = case.judged(case.subject.network, case.attacked(shown), shown).outcomes
    mended = int((verdict.adversarial == shown.y).sum())
    ended = f"{mended} of {len(shown)} were classified correctly after the attack"
    return failed(ended) if mended else passed(ended)


@check(
    wants=f"on a linear network, {MOST:.0%} of the images that are misclassified within "
    f"{NEAR:g} of its radius; if minimal, at most {FAR:g} times as far as the boundary, in the "
    "median",
    remedy="climb the loss of the true label: look at the sign of the step and its length, and at "
    "when the search ends",
)
def oracle(case: AttackCase) -> Reading:
    """Does it find the errors of a linear network, whose distances are known?"""
    if issubclass(case.cls, TrainedAttack | AdaptiveAttack):
        return skipped("it attacks with networks that are trained first")
    network, shown, distance = plane(case.attack.radius)
    made, _ = adversaries(network, 2, case.attack, shown, "check", bar=False)
    found = case.judged(network, made, shown).outcomes
    if case.cls.minimal:
        times = float(np.median(found.distance / distance))
        ended = f"{int(found.success.sum())} of {len(shown)} at {times:.3g} times the distance"
        good = found.success.mean() >= MOST and times <= FAR
    else:
        near = distance <= NEAR * distance.max()
        few = int(found.success[near].sum())
        ended = f"{few} of the {int(near.sum())} nearest, {int(found.success.sum())} of all"
        good = few >= MOST * near.sum()
    return passed(ended) if good else failed(ended)


@check(
    wants="weights, mode and requires_grad of the network as they were",
    remedy="take gradients by torch.autograd.grad with respect to the images, and put back what "
    "you switch",
)
def untouched(case: AttackCase) -> Reading:
    """Does it leave the network as it was?"""
    network = case.subject.network
    before = _state(network)
    case.attacked(case.panel)
    if _state(network) != before:
        return failed("the network is not what it was before the attack")
    return passed("as it was")


@check(
    wants="it attacks a network on the device that it lies on",
    remedy="make tensors on the images' device",
)
def device(case: AttackCase) -> Reading:
    """Does it attack on another device?"""
    if case.device.type == "cpu":
        return skipped("there is no other device here")
    if issubclass(case.cls, TrainedAttack | AdaptiveAttack):
        return skipped("it attacks with networks that are trained first")
    network, shown, _ = plane(case.attack.radius)
    network.to(case.device)
    adversaries(network, 2, case.attack, shown, "check", bar=False)
    return passed(f"attacked on {case.device}")


def _state(network: torch.nn.Module) -> tuple[str, list[bool], list[bool]]:
    """Return all of a network that an attack might change."""
    return (
        digest(network.state_dict(), ""),
        [one.training for one in network.modules()],
        [one.requires_grad for one in network.parameters()],
    )


def _at(shown: Panel, places: NDArray[np.intp]) -> Panel:
    return Panel(shown.index[places], shown.x[places], shown.y[places], "part")


def _draws(case: AttackCase) -> bool:
    """Tell whether it draws from a generator that the harness seeds."""
    if issubclass(case.cls, TrainedAttack | AdaptiveAttack):
        return False  # what they draw, they draw in training
    network, shown, _ = plane(case.attack.radius)
    with exact(), reproducible():
        built = case.attack.build(wrap(network, (1, 8, 8), 2))
        before = torch.get_rng_state().numpy().tobytes(), str(np.random.get_state())
        built.generate(shown.x, shown.y)
        after = torch.get_rng_state().numpy().tobytes(), str(np.random.get_state())
    return before != after


CHECKS = (
    settings,
    budget,
    runs,
    box,
    radius,
    determinism,
    batching,
    misclassified,
    oracle,
    untouched,
    device,
)
