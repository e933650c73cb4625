"""Our attacks beside ART's own, on a small trained network: no further, and as many fooled."""

import numpy as np
import pytest
from numpy.typing import NDArray

from readers import Reader
from robench.attack import Attack
from robench.attacking import reproducible
from robench.records import Precision
from robench_attacks.apgd import APGD
from robench_attacks.cw import CarliniWagner
from robench_attacks.ddn import DDN
from robench_attacks.deepfool import DeepFool
from robench_attacks.fgm import FGM
from robench_attacks.mim import MIM
from robench_attacks.pgd import PGD
from robench_attacks.walk import BoundaryWalk

Distances = NDArray[np.float64]
ALIKE = 1.001
"""By so much more, a distance is still no longer."""


@pytest.fixture(scope="module")
def few(reader: Reader) -> Reader:
    """Return fewer images: ART is slow."""
    return Reader(reader.network, reader.x[:20], reader.y[:20])


@pytest.fixture(scope="module")
def arts_cw(few: Reader) -> dict[str, Distances]:
    """Return how far ART's C&W goes at its defaults, and under the settings that ours get."""
    budgets = {
        "default": CarliniWagner(learning_rate=0.01, searches=10, steps=10),
        "same": CarliniWagner(learning_rate=0.02, steps=40),
    }
    return {name: reached(few, budget, art=True) for name, budget in budgets.items()}


def reached(
    reader: Reader, attack: Attack, precision: Precision = "float32", *, art: bool = False
) -> Distances:
    """Return each image's distance, infinite where it is not fooled."""
    aim = attack.build_art if art else attack.build
    with reproducible():
        attacked = aim(reader.estimator(precision)).generate(reader.x, reader.y)
    found: Distances = np.where(reader.fooled(attacked), reader.distances(attacked), np.inf)
    return found


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize(
    ("attack", "budget"),
    [
        # ART's line search lengthens its steps up to 32-fold, so that its rate is no measure;
        # at 5 x 100 ours takes 500 passes, ART's defaults 636 forward and 200 backward.
        (CarliniWagner(learning_rate=0.02), "default"),
        (CarliniWagner(learning_rate=0.02, steps=40, warm_start=True, bisections=6), "same"),
        (BoundaryWalk(), "default"),
        (BoundaryWalk(), "same"),
        (DDN(), "default"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_no_further_than_arts_carlini_and_wagner(
    attack: Attack,
    budget: str,
    precision: Precision,
    few: Reader,
    arts_cw: dict[str, Distances],
) -> None:
    own, arts = reached(few, attack, precision), arts_cw[budget]
    assert np.isfinite(own).all()
    assert (own <= ALIKE * arts).mean() >= 0.95
    assert own.mean() < arts.mean()


@pytest.mark.parametrize("candidates", [10, 4])
def test_deepfool_is_no_further_than_arts(candidates: int, reader: Reader) -> None:
    attack, half = (
        DeepFool(candidates=candidates),
        Reader(reader.network, reader.x[:40], reader.y[:40]),
    )
    own, arts = reached(half, attack), reached(half, attack, art=True)
    assert np.isfinite(own).all()
    assert (own <= ALIKE * arts).mean() >= 0.95
    assert own.mean() <= ALIKE * arts.mean()


@pytest.mark.parametrize(
    ("attack", "off"),
    [
        (FGM(eps=0.3), 0),
        (FGM(eps=0.5), 0),
        (MIM(eps=0.3, steps=20), 1),
        (MIM(eps=0.5, steps=20), 1),
        (PGD(eps=0.3, steps=40), 1),
        (APGD(eps=0.3), 1),
        (APGD(eps=0.5), 1),
    ],
    ids=lambda value: value if isinstance(value, int) else f"{type(value).__name__} {value.eps}",
)
def test_as_many_are_fooled_within_a_radius(attack: Attack, off: int, reader: Reader) -> None:
    """MIM, PGD: ART clips to the box before it projects; PGD, APGD: it draws other starts."""
    own, arts = (reached(reader, attack, art=art) for art in (False, True))
    assert attack.radius is not None
    fooled = np.isfinite(own)
    assert own[fooled].max() <= attack.radius * (1 + 1e-6)
    assert abs(int(fooled.sum()) - int(np.isfinite(arts).sum())) <= off
    assert 0.1 < fooled.mean() < 0.9


def test_fgm_moves_images_as_arts_does_where_nothing_underflows(reader: Reader) -> None:
    scores = reader.estimator().predict(reader.x)
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    unsure = share.max(axis=1) / share.sum(axis=1) < 0.99
    assert unsure.sum() > 20
    own, arts = (
        aim(reader.estimator()).generate(reader.x, reader.y)[unsure]
        for aim in (FGM(eps=0.3).build, FGM(eps=0.3).build_art)
    )
    np.testing.assert_allclose(own, arts, atol=1e-4)
