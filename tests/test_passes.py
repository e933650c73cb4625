"""Passes through a network counted, and the floors they set."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from peering import CLASSES, Small, images
from robench.benchmarking.floor import Pass, fastest, floor, measure
from robench.benchmarking.passes import Counted, Kind, Tally


@pytest.fixture
def tally() -> Tally:
    """Return an empty tally."""
    return Tally()


@pytest.fixture
def counted(tally: Tally) -> Counted:
    """Return a counted network."""
    return Counted(Small().eval().requires_grad_(False), tally).eval()


def counts(tally: Tally) -> dict[Kind, int]:
    """Return the kinds of passes that happened."""
    return {kind: count for kind, count in tally.samples.items() if count}


def per_class(logits: Tensor, x: Tensor) -> None:
    """Take the gradient of each class in a backward pass of its own."""
    for number in range(CLASSES):
        torch.autograd.grad(logits[:, number].sum(), x, retain_graph=True)


def batched(logits: Tensor, x: Tensor) -> None:
    """Take the gradients of all classes in one backward pass under vmap."""
    chosen = torch.eye(CLASSES)[:, None].expand(-1, len(x), -1)
    torch.autograd.grad(logits, x, chosen, is_grads_batched=True)


@pytest.mark.parametrize("way", [per_class, batched])
def test_every_class_costs_a_backward_pass(
    way: Callable[[Tensor, Tensor], None], counted: Counted, tally: Tally
) -> None:
    x = images(7)
    way(counted(x), x)
    assert counts(tally) == {("forward", "float32"): 7, ("backward", "float32"): 7 * CLASSES}


def test_functional_gradients_are_counted(counted: Counted, tally: Tally) -> None:
    x = images(7).detach()

    def score(image: Tensor) -> Tensor:
        return counted(image[None])[0].square().sum()

    torch.func.vmap(torch.func.grad(score))(x)
    assert counts(tally) == {("forward", "float32"): 7, ("backward", "float32"): 7}


def test_passes_without_gradient_are_forward_alone(counted: Counted, tally: Tally) -> None:
    with torch.no_grad():
        counted(images(3))
        counted(images(2))
    assert counts(tally) == {("forward", "float32"): 5}
    assert tally.per_image(5)["forward", "float32"] == 1.0


def test_passes_in_bf16_are_counted_apart(counted: Counted, tally: Tally) -> None:
    x = images(4)
    with torch.autocast("cpu", torch.bfloat16):
        counted(x).sum().backward()
    low = copy.deepcopy(counted).to(torch.bfloat16)
    low(x.to(torch.bfloat16)).sum().backward()
    assert counts(tally) == {("forward", "bf16"): 8, ("backward", "bf16"): 8}
    counted(x)
    assert tally.samples["forward", "float32"] == 4


def test_counting_changes_no_result(counted: Counted) -> None:
    assert torch.equal(counted(images(9)), counted.network(images(9)))


def test_fastest_passes_are_positive_and_the_fastest(counted: Counted) -> None:
    found = measure(counted.network, images(4).detach(), ["float32"])
    assert {(one.way, one.precision) for one in found} == {
        ("forward", "float32"),
        ("backward", "float32"),
    }
    assert all(one.seconds >= 0 for one in found)
    assert next(one for one in found if one.way == "forward").seconds > 0
    slow = Pass("forward", "float32", 9.0, 8, "contiguous")
    quick = Pass("forward", "float32", 3.0, 8, "contiguous")
    assert fastest([slow], [quick], [slow]) == [quick]


def test_floor_is_the_sum_of_passes() -> None:
    known = [
        Pass("forward", "float32", 2.0, 8, "contiguous"),
        Pass("backward", "float32", 3.0, 8, "contiguous"),
    ]
    forward, backward = ("forward", "float32"), ("backward", "float32")
    assert floor({forward: 10.0, backward: 1.0}, known) == 23.0
    assert floor({forward: 10.0, ("forward", "bf16"): 1.0}, known) is None
    assert floor({forward: 10.0, ("forward", "bf16"): 0.0}, known) == 20.0
