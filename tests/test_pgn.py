"""The defense of the paper descends the losses of method.md, in both readings."""

import pytest
import torch
from torch import Tensor, nn

from gradients import CLASSES, SHAPE, batch, check_slopes, gradient, same, smooth
from robench.errors import UserError
from robench.settings import configure
from robench_defenses.generator import Generator
from robench_defenses.pgn import PGN

PRICE = 3.0


def prepared(preset: str) -> tuple[PGN, nn.Module, Generator]:
    """Return the defense with a classifier and a small generator in float64."""
    defense = configure(PGN, {"c_l": PRICE, "preset": preset, "generator_width": 1 / 64}, "pgn")
    torch.manual_seed(3)
    (generator,) = defense.networks(SHAPE, CLASSES).values()
    assert isinstance(generator, Generator)
    generator.double()
    for parameter in generator.parameters():
        nn.init.normal_(parameter, std=0.5)
    return defense, smooth(), generator


def log_probability(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    scores = model(x)
    return scores[torch.arange(len(y)), y] - torch.logsumexp(scores, dim=1)


def image_gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of the batch's mean probability of y."""
    point = x.clone().requires_grad_()
    mean = log_probability(model, point, y).exp().mean()
    (found,) = torch.autograd.grad(mean, point, create_graph=True)
    return found


def unit_gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    found = [image_gradient(model, a[None], b[None])[0] for a, b in zip(x, y, strict=True)]
    return torch.stack([one / one.square().sum().sqrt() for one in found]).detach()


def adversarial(generator: nn.Module, seen: Tensor, x: Tensor, y: Tensor) -> Tensor:
    scaled = (2 * x - 1) * 0.999999
    inverse = 0.5 * torch.log((1 + scaled) / (1 - scaled))
    return torch.sigmoid(2 * (inverse + generator(seen, x, y)))  # (tanh(z) + 1) / 2


def losses(model: nn.Module, x: Tensor, moved: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the classifier's and the generator's loss."""
    loss = -log_probability(model, moved, y).mean()
    return loss, PRICE * ((moved - x) ** 2).sum() / len(x) - loss


def code(model: nn.Module, generator: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    moved = adversarial(generator, image_gradient(model, x, y), x, y)
    return losses(model, x, moved, y)


def test_code_gives_both_losses_of_one_forward_pass() -> None:
    defense, model, generator = prepared("code")
    x, y = batch()
    (found,) = defense.updates(model, x, y)
    assert list(found) == ["classifier", "generator"]
    expected = code(model, generator, x, y)
    same(found["classifier"], expected[0])
    same(found["generator"], expected[1])
    same(defense.loss(model, x, y), expected[0])


@pytest.mark.parametrize(("name", "which"), [("classifier", 0), ("generator", 1)])
def test_code_differentiates_through_everything(name: str, which: int) -> None:
    defense, model, generator = prepared("code")
    network = (model, generator)[which]
    x, y = batch()
    (round_,) = defense.updates(model, x, y)
    found = gradient(round_[name], network)
    expected = gradient(code(model, generator, x, y)[which], network)
    same(found, expected)
    check_slopes(found, lambda: code(model, generator, x, y)[which], network.parameters())


def test_code_is_second_order() -> None:
    defense, model, generator = prepared("code")
    x, y = batch()
    (round_,) = defense.updates(model, x, y)
    still = adversarial(generator, image_gradient(model, x, y).detach(), x, y)
    first_order = gradient(losses(model, x, still, y)[0], model)
    found = gradient(round_["classifier"], model)
    assert float((found - first_order).norm()) > 1e-3 * float(found.norm())


def test_code_shows_the_generator_the_gradient_of_the_batch_mean() -> None:
    defense, model, generator = prepared("code")
    x, y = batch()
    seen: list[tuple[Tensor, ...]] = []
    generator.register_forward_pre_hook(lambda _, given: seen.append(given))
    defense.perturb(model, x, y)
    defense.perturb(model, x[:2], y[:2])
    same(seen[0][0], image_gradient(model, x, y))
    same(seen[0][0][:2] * 3, seen[1][0])  # 6 images, then 2
    assert torch.equal(seen[0][1], x)
    assert torch.equal(seen[0][2], y)


def test_code_scales_the_gradient_image_by_the_batch_size_that_is_said() -> None:
    defense, model, generator = prepared("code")
    x, y = batch()
    seen: list[Tensor] = []
    generator.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    whole = defense.perturb(model, x, y, batch=128)
    parts = [defense.perturb(model, x[part], y[part], batch=128) for part in ([0, 1], [2, 3, 4, 5])]
    same(whole, torch.cat(parts))
    same(seen[0] * 128 / 6, image_gradient(model, x, y))


@pytest.mark.parametrize("preset", ["code", "paper"])
def test_a_frozen_classifier_is_not_asked_for_a_round_of_its_own(preset: str) -> None:
    rounds = []
    for frozen in (False, True):
        defense, model, generator = prepared(preset)
        model.requires_grad_(not frozen)
        rounds.append(list(defense.updates(model, *batch())))
        same(rounds[-1][0]["generator"], rounds[0][0]["generator"])
        assert gradient(rounds[-1][0]["generator"], generator).any()
    assert [len(found) for found in rounds] == [[1, 1], [2, 1]][preset == "paper"]


def test_paper_shows_the_generator_directions_alone() -> None:
    defense, model, generator = prepared("paper")
    x, y = batch()
    seen: list[Tensor] = []
    generator.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    defense.perturb(model, x, y)
    same(seen[0], unit_gradient(model, x, y))
    assert not seen[0].requires_grad


def test_paper_moves_the_generator_before_the_classifier_is_asked() -> None:
    defense, model, generator = prepared("paper")
    x, y = batch()
    rounds = iter(defense.updates(model, x, y))
    first = next(rounds)
    assert list(first) == ["generator"]
    seen = unit_gradient(model, x, y)
    before = losses(model, x, adversarial(generator, seen, x, y), y)
    same(first["generator"], before[1])
    found = gradient(first["generator"], generator)
    same(found, gradient(before[1], generator))

    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.1)
    (second,) = rounds
    assert list(second) == ["classifier"]
    after = losses(model, x, adversarial(generator, seen, x, y).detach(), y)
    assert not torch.isclose(after[0], before[0])
    same(second["classifier"], after[0])
    found = gradient(second["classifier"], model)
    same(found, gradient(after[0], model))


def test_paper_generator_gradient_is_the_slope_of_its_loss() -> None:
    defense, model, generator = prepared("paper")
    x, y = batch()
    seen = unit_gradient(model, x, y)
    found = gradient(next(iter(defense.updates(model, x, y)))["generator"], generator)
    check_slopes(
        found,
        lambda: losses(model, x, adversarial(generator, seen, x, y), y)[1],
        generator.parameters(),
    )


@pytest.mark.parametrize("preset", ["code", "paper"])
def test_images_stay_in_the_box_however_far_the_generator_pushes(preset: str) -> None:
    defense, model, generator = prepared(preset)
    x, y = batch()
    for push, expected in ((1e4, torch.ones_like(x)), (-1e4, torch.zeros_like(x))):
        nn.init.constant_(generator.out.get_parameter("bias"), push)
        assert torch.equal(defense.perturb(model, x, y), expected)


def test_an_idle_generator_returns_the_image_pulled_off_the_edges() -> None:
    defense, model, generator = prepared("code")
    x, y = batch()
    for parameter in generator.out.parameters():
        nn.init.zeros_(parameter)
    expected = ((2 * x - 1) * 0.999999 + 1) / 2
    same(defense.perturb(model, x, y), expected)


def test_single_precision_edges_have_finite_losses_and_gradients() -> None:
    defense = PGN(generator_width=1 / 64)
    model = smooth().float()
    (generator,) = defense.networks(SHAPE, CLASSES).values()
    x = torch.cat([torch.zeros(2, *SHAPE), torch.ones(2, *SHAPE)])
    (round_,) = defense.updates(model, x, torch.tensor([0, 1, 2, 0]))
    assert torch.isfinite(gradient(round_["classifier"], model)).all()
    assert torch.isfinite(gradient(round_["generator"], generator)).all()


@pytest.mark.parametrize("preset", ["code", "paper"])
def test_mean_perturbation_is_that_of_the_round(preset: str) -> None:
    defense, model, _ = prepared(preset)
    x, y = batch()
    expected = (defense.perturb(model, x, y) - x).flatten(1).norm(dim=1).mean()
    for _ in defense.updates(model, x, y):
        pass
    assert defense.mean_perturbation() == pytest.approx(float(expected.detach()), rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"c_l": "0"}, "c_l=0.0 is not above 0"),
        ({"c_l": "-50"}, "c_l=-50.0 is not above 0"),
        ({"generator_width": "0"}, "generator_width=0.0 is not in"),
        ({"generator_width": "65"}, "generator_width=65.0 is not in"),
        ({"preset": "thesis"}, "preset=thesis is not code or paper"),
    ],
)
def test_settings_that_make_no_game_are_refused(settings: dict[str, str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        configure(PGN, settings, "pgn")


@pytest.mark.parametrize("shape", [(3, 30, 32), (3, 32, 6)])
def test_sides_the_generator_cannot_make_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(UserError, match=f"divisible by 4, these are {shape[1]} x {shape[2]}"):
        PGN().networks(shape, 10)


def test_lower_prices_are_stronger() -> None:
    assert (PGN.strength, PGN.stronger) == ("c_l", "down")
