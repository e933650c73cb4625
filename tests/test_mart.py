"""MART, written out image by image; its attack is PGD's."""

import pytest
import torch
from torch import Tensor, nn

from gradients import batch, check_slopes, gradient, same, smooth
from robench.errors import UserError
from robench.settings import configure
from robench_defenses.mart import MART, boosted_cross_entropy
from robench_defenses.pgd import PGD

SEED = 7


def seeded(model: nn.Module, x: Tensor, y: Tensor, weight: float) -> Tensor:
    torch.manual_seed(SEED)
    return MART(eps=0.4, steps=4, weight=weight).loss(model, x, y)


def written_out(model: nn.Module, x: Tensor, moved: Tensor, y: Tensor, weight: float) -> Tensor:
    """Return the loss, an image at a time, from probabilities."""
    terms = []
    for clean, other, label in zip(model(x), model(moved), y.tolist(), strict=True):
        p, q = clean.softmax(0), other.softmax(0)
        rival = max(q[k] for k in range(len(q)) if k != label)
        apart = (p * (p / q).log()).sum()
        terms.append(-q[label].log() - (1 - rival).log() + weight * apart * (1 - p[label]))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("weight", [1e-300, 0.5, 5.0])
def test_loss_and_gradient_are_those_written_out(weight: float) -> None:
    model, (x, y) = smooth(), batch()
    loss = seeded(model, x, y, weight)
    torch.manual_seed(SEED)
    moved = PGD(eps=0.4, steps=4).perturb(model, x, y)
    expected = written_out(model, x, moved, y, weight)
    same(loss, expected)
    same(gradient(loss, model), gradient(expected, model))
    check_slopes(
        gradient(loss, model), lambda: written_out(model, x, moved, y, weight), model.parameters()
    )


def test_boosted_cross_entropy_is_finite_where_the_wrong_class_is_sure() -> None:
    logits = torch.tensor([[0.0, 60.0, 0.0], [60.0, 0.0, 0.0]], requires_grad=True)
    loss = boosted_cross_entropy(logits.log_softmax(1), torch.tensor([0, 0]))
    # First row: -log p_0 = 60 and -log(p_0 + p_2) = 60 - log 2; the second adds nothing.
    assert float(loss.detach()) == pytest.approx((120 - 0.6931472) / 2, rel=1e-6)
    (slope,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(slope).all()
    torch.testing.assert_close(slope[0], torch.tensor([-0.75, 1.0, -0.25]))


def test_of_two_classes_both_parts_of_the_cross_entropy_are_one() -> None:
    answer = torch.randn(6, 2, dtype=torch.float64).log_softmax(1)
    y = torch.tensor([0, 1, 1, 0, 0, 1])
    same(boosted_cross_entropy(answer, y), -2 * answer[torch.arange(6), y].mean())


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"weight": "0"}, "weight=0.0 is not above 0"), ({"eps": "0"}, "eps=0.0 is not above 0")],
)
def test_settings_that_make_no_defense_are_refused(settings: dict[str, str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        configure(MART, settings, "mart")
