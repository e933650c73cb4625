"""How many passes each attack makes: one forward and one backward an iteration, no more."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import planes
from planes import Planes
from readers import Reader
from robench.attack import Attack
from robench.benchmarking.passes import Counted, Tally
from robench.estimator import wrap
from robench_attacks.apgd import APGD, apgd
from robench_attacks.cw import CarliniWagner, carlini_wagner
from robench_attacks.ddn import DDN, ddn
from robench_attacks.deepfool import DeepFool, deepfool
from robench_attacks.fgm import FGM, fgm
from robench_attacks.mim import MIM, mim
from robench_attacks.network import Network
from robench_attacks.pgd import PGD, pgd
from robench_attacks.walk import BoundaryWalk

SHAPE, COUNT = (3, 4, 4), 6
Run = Callable[[Network, Tensor, Tensor], Tensor]
COSTS: dict[str, tuple[Run, int, int]] = {
    "fgm": (lambda f, x, y: fgm(f.search, x, y, eps=0.5), 1, 1),
    "mim": (lambda f, x, y: mim(f.search, x, y, eps=1, step=0.1, steps=7, decay=1), 7, 7),
    "pgd": (lambda f, x, y: pgd(f.search, x, y, eps=1, step=0.1, steps=7), 7, 7),
    # the start is a point too
    "apgd": (lambda f, x, y: apgd(f, x, y, APGD(steps=7, stop_early=False)), 8, 8),
    # the images are predicted first, the last point in the end
    "ddn": (lambda f, x, y: ddn(f, x, y, DDN(steps=7)).nearest, 9, 7),
    # the images are predicted first; a point is, before its gradient is worth computing
    "deepfool": (lambda f, x, y: deepfool(f, x, steps=7, candidates=3, overshoot=0), 15, 14),
    "cw": (lambda f, x, y: carlini_wagner(f, x, y, CarliniWagner(0, 0.01, 3, 5)), 16, 15),
    "cw, halved": (
        lambda f, x, y: carlini_wagner(f, x, y, CarliniWagner(0, 0.01, 3, 5, bisections=4)),
        20,
        15,
    ),
}


@pytest.mark.parametrize("name", COSTS)
def test_an_iteration_is_one_forward_and_one_backward_pass(name: str) -> None:
    run, forward, backward = COSTS[name]
    tally, inner = Tally(), planes.random_planes(SHAPE, 3)
    inner.bias.data = torch.tensor([1e3, 0.0, 0.0])  # out of reach
    x, y = torch.from_numpy(planes.images(SHAPE, COUNT)), torch.zeros(COUNT).long()
    with torch.no_grad():
        run(Network(Counted(inner, tally)), x, y)
    assert tally.per_image(COUNT)["forward", "float32"] == forward
    assert tally.per_image(COUNT)["backward", "float32"] == backward


@pytest.mark.parametrize("classes", [10, 20, 100])
@pytest.mark.parametrize("candidates", [2, 10])
def test_deepfool_costs_what_its_candidates_cost_whatever_the_classes(
    classes: int, candidates: int
) -> None:
    tally, inner = Tally(), planes.random_planes(SHAPE, classes)
    inner.bias.data[0] = 1e3
    x, steps = torch.from_numpy(planes.images(SHAPE, COUNT)), 4
    deepfool(Network(Counted(inner, tally)), x, steps=steps, candidates=candidates, overshoot=0.02)
    counts = tally.per_image(COUNT)
    assert counts["backward", "float32"] == (candidates - 1) * steps
    assert counts["forward", "float32"] == 2 * steps + 1


SEARCHING: tuple[Attack, ...] = (
    FGM(),
    MIM(steps=4),
    PGD(steps=4),
    APGD(steps=4),
    DDN(steps=4),
    DeepFool(),
    CarliniWagner(searches=2, steps=10),
    BoundaryWalk(),
)


@pytest.mark.parametrize("attack", SEARCHING, ids=lambda a: type(a).__name__)
def test_in_bf16_no_gradient_is_of_float32(attack: Attack, reader: Reader) -> None:
    assert attack.reduced_precision
    tally = Tally()
    few = Reader(Counted(reader.network, tally).eval(), reader.x[:9], reader.y[:9])
    attack.build(few.estimator("bf16")).generate(few.x, few.y)
    assert tally.samples["backward", "bf16"] > 0
    assert tally.samples["backward", "float32"] == 0
    tally.samples.clear()
    attack.build(few.estimator()).generate(few.x, few.y)
    assert tally.samples["backward", "bf16"] == tally.samples["forward", "bf16"] == 0


class Nosy(nn.Module):
    """Planes that look at their own weights and mode in every pass."""

    def __init__(self) -> None:
        super().__init__()
        inner: Planes = planes.random_planes(SHAPE, 3, scale=5)
        self.planes = inner
        self.seen: set[tuple[bool, bool]] = set()
        self.left = 10**9

    def forward(self, x: Tensor) -> Tensor:
        """Return logits; fail when no passes are left."""
        learns = any(weight.requires_grad for weight in self.parameters())
        self.seen.add((learns, self.training))
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("no passes left")
        logits: Tensor = self.planes(x)
        return logits


@pytest.mark.parametrize("passes", [10**9, 1])
@pytest.mark.parametrize("attack", SEARCHING, ids=lambda a: type(a).__name__)
def test_no_pass_learns_and_all_is_put_back_even_after_an_error(
    attack: Attack, passes: int
) -> None:
    network = Nosy()
    estimator = wrap(network, SHAPE, 3)
    network.train()
    network.planes.eval()
    network.planes.bias.requires_grad_(False)
    x = planes.images(SHAPE, 8)
    y, network.left = planes.labels(network.planes, x), passes
    built = attack.build(estimator)
    if passes == 1:
        with pytest.raises(RuntimeError, match="no passes left"):
            built.generate(x, y)
    else:
        built.generate(x, y)
    assert network.seen == {(False, False)}
    assert (network.training, network.planes.training) == (True, False)
    assert network.planes.weight.requires_grad
    assert not network.planes.bias.requires_grad
    assert network.planes.weight.grad is None
