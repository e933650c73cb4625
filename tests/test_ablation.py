"""PGN with an input of the generator left out: zeros in its place, all else as it is."""

from typing import Literal, get_args

import pytest
import torch
from torch import Tensor, nn

from gradients import CLASSES, SHAPE, batch, gradient, smooth
from robench.settings import configure, declared
from robench_defenses.ablation import PGNAblation
from robench_defenses.generator import Generator, Input
from robench_defenses.pgn import PGN

INPUTS: tuple[Input, ...] = get_args(Input)
everything = pytest.mark.parametrize("without", INPUTS)


def generators(without: Input) -> tuple[Generator, Generator]:
    """Return a whole generator and one without an input, of one seed."""
    found = []
    for missing in (None, without):
        torch.manual_seed(0)
        found.append(Generator((3, 8, 12), 5, 1 / 32, missing).double())
    return found[0], found[1]


def given() -> dict[Input, Tensor]:
    torch.manual_seed(1)
    x = torch.rand(4, 3, 8, 12, dtype=torch.float64)
    return {"gradient": torch.randn_like(x), "image": x, "label": torch.tensor([0, 4, 2, 4])}


def inputs_of_layers(generator: Generator, seen: dict[Input, Tensor]) -> list[Tensor]:
    """Return what each layer is given."""
    caught: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, x: caught.append(x[0]))
        for layer in generator.children()
    ]
    generator(*seen.values())
    for hook in hooks:
        hook.remove()
    return caught


@everything
def test_initial_weights_are_those_of_the_whole_generator(without: Input) -> None:
    whole, blind = generators(without)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, blind.state_dict()[name])


@everything
def test_only_the_missing_input_does_not_matter(without: Input) -> None:
    _, blind = generators(without)
    before = blind(*given().values())
    for changed in INPUTS:
        after = blind(*(given() | {changed: (given()[changed] + 1) % 5}).values())
        assert torch.equal(after, before) == (changed == without)


def test_zeros_stand_in_its_place() -> None:
    whole, blind = generators("image")
    grey = given() | {"image": torch.full_like(given()["image"], 0.5)}  # 2x - 1 = 0
    assert torch.equal(blind(*given().values()), whole(*grey.values()))
    whole, blind = generators("gradient")
    flat = given() | {"gradient": torch.zeros_like(given()["gradient"])}
    assert torch.equal(blind(*given().values()), whole(*flat.values()))
    _, blind = generators("label")
    hidden, spread, up1, up2, *_ = inputs_of_layers(blind, given())
    assert not hidden.any()
    assert not spread[:, -5:].any()
    assert not up1[:, -5:].any()
    assert not up2[:, -5:].any()


@everything
@pytest.mark.parametrize("preset", ["code", "paper"])
def test_it_trains_as_pgn_does_with_that_generator(
    preset: Literal["code", "paper"], without: Input
) -> None:
    losses = []
    for defense in (
        PGNAblation(3.0, preset, 1 / 64, without),
        PGN(3.0, preset, 1 / 64),
    ):
        torch.manual_seed(3)
        own = Generator(SHAPE, CLASSES, 1 / 64, without)
        torch.manual_seed(3)
        (built,) = defense.networks(SHAPE, CLASSES).values()
        for name, tensor in built.state_dict().items():
            assert torch.equal(tensor, own.state_dict()[name])
        if type(defense) is PGN:
            defense.use(own)
            built = own
        built.double()
        model, (x, y) = smooth(), batch()
        first = next(iter(defense.updates(model, x, y)))
        losses.append((first["generator"], gradient(first["generator"], built)))
    (one, slope), (other, slope_of_other) = losses
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(slope, slope_of_other)
    assert slope.any()


def test_a_gradient_that_is_not_shown_is_not_computed() -> None:
    def passes(defense: PGN) -> int:
        defense.networks(SHAPE, CLASSES)["generator"].double()
        model, counted = smooth(), list[nn.Module]()
        model.register_forward_pre_hook(lambda module, _: counted.append(module))
        list(defense.updates(model, *batch()))
        return len(counted)

    assert passes(PGNAblation(generator_width=1 / 64, without="gradient")) == 1
    assert passes(PGNAblation(generator_width=1 / 64, without="label")) == 2


def test_strength_and_settings_are_pgn_s_and_one_more() -> None:
    assert (PGNAblation.strength, PGNAblation.stronger) == (PGN.strength, PGN.stronger)
    own = {field.name: field.default for field in declared(PGNAblation)}
    assert own == {field.name: field.default for field in declared(PGN)} | {"without": "gradient"}
    assert configure(PGNAblation, {"without": "label"}, "").without == "label"
