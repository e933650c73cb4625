"""Batches that suit the device, blocks of them, and memory that does not grow with the images."""

import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import pytest
import torch
from art.estimators.classification import PyTorchClassifier
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import planes
from robench.attack import Attack
from robench.estimator import wrap
from robench_attacks.apgd import APGD
from robench_attacks.cw import CarliniWagner
from robench_attacks.ddn import DDN
from robench_attacks.deepfool import DeepFool
from robench_attacks.device import BLOCK, DeviceAttack
from robench_attacks.mim import MIM
from robench_attacks.network import Network
from robench_attacks.sizing import FEWEST, MOST, ON_CPU, lanes_for

SHAPE = (1, 4, 4)


def tanhs(x: Tensor, layers: int) -> Tensor:
    """Keep `layers` times the image for the backward pass: each tanh keeps what it returns."""
    for _ in range(layers):
        x = x.tanh()
    return x


@pytest.mark.parametrize(("layers", "side"), [(1, 64), (4, 512), (5, 512), (4, 700), (40, 400)])
def test_lanes_are_what_the_memory_kept_by_an_image_leaves_room_for(layers: int, side: int) -> None:
    kept = 4 * layers * side**2
    lanes = lanes_for(partial(tanhs, layers=layers), torch.rand(3, 1, side, side))
    assert lanes & (lanes - 1) == 0
    assert FEWEST <= lanes <= MOST["cpu"]
    assert lanes * kept <= ON_CPU or lanes == FEWEST
    assert 2 * lanes * kept > ON_CPU or lanes == MOST["cpu"]


def test_what_is_kept_is_counted_once_and_weights_and_images_are_not() -> None:
    """At 4 x 1024 x 1024 bytes a tensor, one kept gives 32 lanes, and two 16."""
    x, weight = torch.rand(2, 1, 1024, 1024), torch.rand(1, 1, 1024, 1024, requires_grad=True)
    assert lanes_for(lambda x: x.tanh().sin(), x) == 32  # both keep one and the same
    assert lanes_for(lambda x: (x * weight).tanh(), x) == 32
    assert lanes_for(lambda x: (x.tanh() + 1).tanh(), x) == 16


def test_bounds_of_the_lanes() -> None:
    assert lanes_for(torch.flatten, torch.rand(2, 1, 2, 2)) == MOST["cpu"]  # keeps nothing
    assert lanes_for(torch.flatten, torch.rand(0, 1, 2, 2)) == FEWEST
    assert lanes_for(partial(tanhs, layers=1), torch.rand(1, 1, 4096, 4096)) == FEWEST


class Watched(nn.Module):
    """Planes that note how many images each pass has."""

    def __init__(self) -> None:
        super().__init__()
        self.planes = planes.random_planes(SHAPE, 3, scale=5)
        self.widths: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, 3)."""
        self.widths.append(len(x))
        logits: Tensor = self.planes(x)
        return logits


ATTACKS: tuple[Attack, ...] = (
    MIM(steps=2),
    DDN(steps=2),
    DeepFool(steps=2),
    CarliniWagner(searches=2, steps=3),
    CarliniWagner(searches=1, steps=2, warm_start=True, bisections=2),
    APGD(steps=3),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_no_pass_has_more_images_than_lanes(attack: Attack) -> None:
    network = Watched()
    built = attack.build(wrap(network, SHAPE, 3))
    built.set_params(batch_size=32)
    x = planes.images(SHAPE, 600)
    built.generate(x, planes.labels(network.planes, x))
    assert max(network.widths) == 32


@dataclass(frozen=True)
class Blocks:
    """Marks images, and notes how many come at once."""

    streams: bool
    sizes: list[int]

    def perturb(self, network: Network, x: Tensor, y: Tensor) -> Tensor:
        """Write the label, as a share, into all pixels."""
        self.sizes.append(len(x))
        return (y / 2).view(-1, 1, 1, 1).expand_as(x)


@pytest.mark.parametrize(("streams", "width"), [(False, 32), (True, 32 * BLOCK)])
def test_blocks_are_bounded_and_none_is_forgotten(streams: bool, width: int) -> None:
    attack, count = Blocks(streams, []), 10_000
    x, y = planes.images(SHAPE, count), np.arange(count) % 3
    made = DeviceAttack(wrap(Watched(), SHAPE, 3), attack, batch_size=32).generate(x, y)
    assert np.array_equal(made, np.broadcast_to((y / 2)[:, None, None, None], made.shape))
    assert attack.sizes == [width] * (count // width) + [count % width] * (count % width > 0)


class Alive(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive at once, and the most there were."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.owners: dict[int, int] = {}
        self.bytes = self.peak = 0

    def __enter__(self) -> Self:
        """Begin to count."""
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run an operation and count what it returned."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self._add(storage.data_ptr(), storage.nbytes())
                weakref.finalize(tensor, self._drop, storage.data_ptr(), storage.nbytes())
        return result

    def _add(self, place: int, size: int) -> None:
        self.owners[place] = self.owners.get(place, 0) + 1
        if self.owners[place] == 1:
            self.bytes += size
            self.peak = max(self.peak, self.bytes)

    def _drop(self, place: int, size: int) -> None:
        self.owners[place] -= 1
        if self.owners[place] == 0:
            self.bytes -= size


def peak(attack: Attack, estimator: PyTorchClassifier, count: int) -> int:
    """Return the most bytes alive while so many images are attacked, the results left out."""
    x = torch.from_numpy(planes.images(SHAPE, count))
    y = torch.from_numpy(planes.labels(estimator.model.planes, x.numpy()))
    built = attack.build(estimator)
    built.set_params(batch_size=32)
    with Alive() as alive:
        result = built.generate(x, y)
    assert isinstance(result, Tensor)
    assert alive.peak > result.nbytes
    return alive.peak - result.nbytes - x.nbytes - y.nbytes


@pytest.mark.parametrize("attack", [MIM(steps=1), CarliniWagner(searches=1, steps=1)])
def test_memory_does_not_grow_with_the_number_of_images(attack: Attack) -> None:
    estimator = wrap(Watched(), SHAPE, 3)
    few, many = (peak(attack, estimator, count) for count in (1_100, 10_000))
    assert few > 0
    assert many <= 1.05 * few
