"""Each defense descends the loss that method.md gives: written out here, image by image."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradients import SHAPE, batch, check_slopes, gradient, same, smooth
from robench.defense import Defense
from robench.errors import UserError
from robench.gradient import uniform_in_ball
from robench.settings import configure
from robench_defenses.baseline import Baseline
from robench_defenses.fgm import FGM
from robench_defenses.pgd import PGD

Perturb = Callable[[nn.Module, Tensor, Tensor, bool], Tensor]


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the mean of -log p_y."""
    scores = model(x)
    return (torch.logsumexp(scores, dim=1) - scores[torch.arange(len(y)), y]).mean()


def ascent(model: nn.Module, x: Tensor, y: Tensor, through: bool) -> Tensor:
    """Return, for one image, the loss gradient at length 1."""
    point = x if x.requires_grad else x.clone().requires_grad_()
    loss = cross_entropy(model, point[None], y[None])
    (slope,) = torch.autograd.grad(loss, point, create_graph=through)
    return slope / slope.square().sum().sqrt()


def fgm(model: nn.Module, x: Tensor, y: Tensor, through: bool, eps: float = 0.4) -> Tensor:
    moved = [a + eps * ascent(model, a, b, through) for a, b in zip(x, y, strict=True)]
    return torch.stack(moved).clamp(0, 1)


def pgd(model: nn.Module, x: Tensor, y: Tensor, through: bool, eps: float = 0.4) -> Tensor:
    torch.manual_seed(7)
    starts = (x + uniform_in_ball(x, eps)).clamp(0, 1)
    results = []
    for image, start, label in zip(x, starts, y, strict=True):
        point = start
        for _ in range(4):
            point = point + eps / 6 * ascent(model, point, label, through)
            length = (point - image).square().sum().sqrt()
            if length > eps:
                point = image + (point - image) * (eps / length)
            point = point.clamp(0, 1)
        results.append(point)
    return torch.stack(results)


ATTACKING: list[tuple[Callable[[bool], FGM | PGD], Perturb]] = [
    (lambda through: FGM(eps=0.4, through_attack=through), fgm),
    (lambda through: PGD(eps=0.4, steps=4, through_attack=through), pgd),
]
attacking = pytest.mark.parametrize(("make", "perturb"), ATTACKING, ids=["fgm", "pgd"])


def seeded(defense: Defense, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    torch.manual_seed(7)
    return defense.loss(model, x, y)


def test_baseline_descends_cross_entropy_on_clean_images() -> None:
    model, (x, y) = smooth(), batch()
    loss = Baseline().loss(model, x, y)
    same(loss, cross_entropy(model, x, y))
    check_slopes(gradient(loss, model), lambda: cross_entropy(model, x, y), model.parameters())


@attacking
@pytest.mark.parametrize("through", [False, True], ids=["detached", "through"])
def test_loss_and_gradient_are_those_written_out(
    make: Callable[[bool], FGM | PGD], perturb: Perturb, through: bool
) -> None:
    model, (x, y) = smooth(), batch()
    loss = seeded(make(through), model, x, y)
    reference = cross_entropy(model, perturb(model, x, y, through), y)
    same(loss, reference)
    same(gradient(loss, model), gradient(reference, model))


@attacking
def test_through_attack_is_the_slope_of_the_whole_loss(
    make: Callable[[bool], FGM | PGD], perturb: Perturb
) -> None:
    model, (x, y) = smooth(), batch()
    found = gradient(seeded(make(True), model, x, y), model)
    check_slopes(
        found,
        lambda: cross_entropy(model, perturb(model, x, y, False), y),
        model.parameters(),
    )


@attacking
def test_detached_holds_the_attack_still(
    make: Callable[[bool], FGM | PGD], perturb: Perturb
) -> None:
    model, (x, y) = smooth(), batch()
    found = gradient(seeded(make(False), model, x, y), model)
    still = perturb(model, x, y, False).detach()
    check_slopes(found, lambda: cross_entropy(model, still, y), model.parameters())
    through = gradient(seeded(make(True), model, x, y), model)
    assert float((found - through).norm()) > 0.01 * float(found.norm())


@attacking
def test_the_default_is_detached(make: Callable[[bool], FGM | PGD], perturb: Perturb) -> None:
    assert not type(make(True))().through_attack


@attacking
def test_perturbations_stay_in_the_ball_and_the_box(
    make: Callable[[bool], FGM | PGD], perturb: Perturb
) -> None:
    model, (x, y) = smooth(), batch()
    moved = make(False).perturb(model, x, y)
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1
    assert float((moved - x).flatten(1).norm(dim=1).max()) <= 0.4 * (1 + 1e-12)


def test_fgm_spends_all_of_eps_inside_the_box() -> None:
    model, (x, y) = smooth(), batch()
    inside = 0.4 + 0.2 * x
    moved = FGM(eps=0.1).perturb(model, inside, y)
    lengths = (moved - inside).flatten(1).norm(dim=1)
    same(lengths, torch.full_like(lengths, 0.1))


def test_pgd_spends_all_of_eps_where_ten_steps_reach_it() -> None:
    model, (x, y) = smooth(), batch()
    inside = 0.4 + 0.2 * x
    lengths = (PGD(eps=0.1).perturb(model, inside, y) - inside).flatten(1).norm(dim=1)
    assert float(lengths.min()) > 0.0999


def test_pgd_starts_where_the_seed_says() -> None:
    model, (x, y) = smooth(), batch()

    def perturbed(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return PGD(steps=1).perturb(model, x, y)

    assert torch.equal(perturbed(1), perturbed(1))
    assert not torch.equal(perturbed(1), perturbed(2))


def test_attacks_leave_no_gradient_in_the_weights() -> None:
    model, (x, y) = smooth(), batch()
    for defense in (FGM(), PGD(steps=2), FGM(through_attack=True)):
        defense.loss(model, x, y)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not x.requires_grad


def test_one_round_trains_the_classifier_alone() -> None:
    model, (x, y) = smooth(), batch()
    (round_,) = FGM().updates(model, x, y)
    assert list(round_) == ["classifier"]
    assert FGM().networks(SHAPE, 3) == {}


def test_mean_perturbation_is_of_all_images_since_it_was_asked() -> None:
    model, (x, y) = smooth(), batch()
    defense, lengths = FGM(eps=0.4), []
    for part in (slice(0, 4), slice(4, 6)):
        defense.loss(model, x[part], y[part])
        moved = fgm(model, x[part], y[part], False)
        lengths += [(a - b).norm() for a, b in zip(moved, x[part], strict=True)]
    assert defense.mean_perturbation() == pytest.approx(float(sum(lengths)) / 6, rel=1e-6)
    assert defense.mean_perturbation() == 0


def test_mean_perturbation_of_the_baseline_is_zero() -> None:
    defense = Baseline()
    defense.loss(smooth(), *batch())
    assert defense.mean_perturbation() == 0


@pytest.mark.parametrize(
    ("defense", "settings", "named"),
    [
        (FGM, {"eps": "0"}, "eps=0.0 is not above 0"),
        (FGM, {"eps": "-1"}, "eps=-1.0 is not above 0"),
        (FGM, {"eps": "nan"}, "eps=nan is not a number"),
        (PGD, {"eps": "0"}, "eps=0.0 is not above 0"),
        (PGD, {"steps": "0"}, "steps=0 is not at least 1"),
        (PGD, {"steps": "1.5"}, "steps=1.5 is not a whole number"),
        (PGD, {"through_attack": "maybe"}, "through_attack=maybe is not true or false"),
    ],
)
def test_settings_that_make_no_attack_are_refused(
    defense: type[Defense], settings: dict[str, str], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        configure(defense, settings, defense.__name__.lower())
