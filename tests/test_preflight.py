"""What a classifier from elsewhere is asked first: each mistake in one line, with its remedy."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import strangers
from robench.data import Data
from robench.errors import UserError
from robench.imported import preflight
from robench.imported.declared import Declared, check_normalisation

REFUSED = {
    "softmax": ("returns probabilities", "return the logits"),
    "noise": ("other outputs for the same images", "switch dropout"),
    "batch": ("depend on the other images", "running statistics"),
    "fewer": ("returns 2 outputs", "3 classes", "build it"),
    "maps": ("(2, 3, 1, 1)", "wanted floats of (2, 3)"),
    "two": ("returns a tuple", "the logits alone"),
    "labels": ("returns torch.int64", "wanted floats"),
    "infinite": ("not all finite",),
    "detached": ("no finite gradient", "torch.no_grad"),
    "flat": ("does not take images of (3, 8, 8)", "resize or reorder"),
    "bytes": ("in [0, 255]", "--mean 0,0,0 --std 0.003922,0.003922,0.003922", "--as-is"),
    "shuffled": ("which is chance (0.333)", "order of its classes"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_each_mistake_is_told_with_its_remedy(kind: str, data: Data) -> None:
    with pytest.raises(UserError) as caught:
        preflight.check(strangers.Around(kind).eval(), data)
    assert "\n" not in str(caught.value)
    for part in REFUSED[kind]:
        assert part in str(caught.value)


@pytest.mark.parametrize("kind", ["", "log", "dropout"])
def test_a_classifier_that_is_in_order_passes_with_its_accuracy(kind: str, data: Data) -> None:
    assert preflight.check(strangers.Around(kind).eval(), data) == 1.0


def test_what_is_in_training_is_named(data: Data) -> None:
    with pytest.raises(UserError, match=r"in training mode \(it\).*network.eval\(\)"):
        preflight.check(strangers.Around("dropout"), data)
    network = strangers.Around("dropout").eval()
    network.drop.train()
    with pytest.raises(UserError, match=r"its layer drop \(Dropout\)"):
        preflight.check(network, data)


@pytest.mark.parametrize("kind", ["bytes", "shuffled"])
def test_as_is_believes_the_range(kind: str, data: Data) -> None:
    assert preflight.check(strangers.Around(kind).eval(), data, as_is=True) < 0.4


def test_declared_as_the_message_says_the_network_is_right(data: Data) -> None:
    network = Declared(strangers.Around("bytes"), (0.0,) * 3, (1 / 255,) * 3).eval()
    assert preflight.check(network, data) == 1.0


def test_a_declared_network_sees_normalised_images(data: Data) -> None:
    network = Declared(strangers.normalised(), strangers.MEAN, strangers.STD).eval()
    x = data.test.floats(slice(0, 9))
    torch.testing.assert_close(network(x), strangers.tints()(x))


def test_a_network_may_use_view_on_its_images(data: Data) -> None:
    class Viewing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(len(x), -1)

    x = data.test.floats(slice(0, 4))
    assert not x.is_contiguous()
    assert Declared(Viewing(), (), ())(x).shape == (4, 192)


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        ((0.5,), (0.5,), "3 channels"),
        ((0.5,) * 3, (), "as many of both"),
        ((0.5,) * 3, (0.0,) * 3, "deviations above 0"),
        ((float("nan"),) * 3, (1.0,) * 3, "finite means"),
        ((float("inf"),) * 3, (1.0,) * 3, "finite means"),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused(
    mean: tuple[float, ...], std: tuple[float, ...], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        check_normalisation(mean, std, 3)


def test_normalised_by_other_values_than_trained_with_is_noticed(data: Data) -> None:
    """A network that was trained on [-1, 1] and is shown [0, 1] is far worse than it can be."""

    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = strangers.tints()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x.clamp(-1, 0))  # dark halves alone: none in [0, 1]

    with pytest.raises(UserError, match=r"such as --mean"):
        preflight.check(Centred().eval(), data)


@pytest.mark.parametrize(("wrong", "noticed"), [(4, False), (9, True)])
def test_a_few_images_more_in_another_range_may_be_chance(
    data: Data, wrong: int, noticed: bool
) -> None:
    class Unsure(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.max() > 1:
                return strangers.tints()(x / 255)
            said = strangers.tints()(x)
            return torch.cat([said[:wrong].roll(1, dims=1), said[wrong:]])

    assert len(data.test) == 36
    if noticed:
        with pytest.raises(UserError, match=r"0\.750 of 36 images"):
            preflight.check(Unsure().eval(), data)
    else:
        assert preflight.check(Unsure().eval(), data) == pytest.approx(32 / 36)


def test_grey_images_are_asked_for_ranges_of_one_channel(data: Data) -> None:
    def grey(x: torch.Tensor) -> torch.Tensor:
        return x.float().mean(dim=-1, keepdim=True).to(torch.uint8)

    shown = replace(data, test=replace(data.test, x=grey(data.test.x)))

    class Guess(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.tensor([2.0, 0.0, 0.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.bias + 0 * x.flatten(1)[:, :3]

    with pytest.raises(UserError, match="which is chance"):
        preflight.check(Guess().eval(), shown)
