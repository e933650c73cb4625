"""The checks of the audit that look at records alone, on outcomes made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audited import finding
from recordings import EPS, Recorder, match, outcomes
from robench.archive import Result
from robench.audit.case import Case
from robench.data import Split
from robench.evaluation import Subject
from robench.outcomes import Outcomes
from robench.panel import Panel
from robench.records import Run

COUNT = 200
NEAR = [0.1 + 0.001 * number for number in range(COUNT)]


class Always(nn.Module):
    """Says class 1, whatever the image."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(10))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits that class 1 leads."""
        scores = self.bias.expand(len(x), -1).clone()
        scores[:, 1] += 1
        return scores


def measured(distance: Sequence[float] = NEAR) -> Outcomes:
    """Return outcomes of a network that is right everywhere."""
    return outcomes([True] * len(distance), distance)


class Desk:
    """Records of one checkpoint, and the case that they make."""

    def __init__(self, root: Path) -> None:
        self.recorder = Recorder(root)
        self.run = self.recorder.run()
        self.source = self.recorder.run(seed=1, source=True)
        self.results: list[Result] = []

    def add(
        self,
        attack: str,
        found: Outcomes,
        *,
        minimal: bool = True,
        source: Run | None = None,
        violations: int = 0,
        adaptive: bool = False,
    ) -> "Desk":
        """Record an evaluation."""
        given = {"violations": violations, "adaptive": adaptive}
        record = self.recorder.evaluation(self.run, attack, found, minimal, source, **given)  # type: ignore[arg-type]
        self.results.append(Result(record, found))
        return self

    def case(self) -> Case:
        """Return what the checks see."""
        x = np.zeros((COUNT, 1, 8, 8), dtype=np.float32)
        labels = np.ones(COUNT, dtype=np.int64)
        train = Split(torch.zeros((4, 8, 8, 1), dtype=torch.uint8), torch.ones(4).long())
        return Case(
            subject=Subject(self.run, self.run.final, Always()),
            panel=Panel(np.arange(COUNT), x, labels, "i" * 64),
            results=tuple(self.results),
            train=train,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def fooled(share: float) -> Outcomes:
    """Return outcomes at norm 0.5 on the first `share` of the images, failures on the rest."""
    many = round(share * COUNT)
    return measured([0.5] * many + [np.inf] * (COUNT - many))


@pytest.mark.parametrize(("violations", "verdict"), [(0, "pass"), (1, "warn"), (2, "fail")])
def test_rules(violations: int, verdict: str, desk: Desk) -> None:
    case = desk.add("cw", measured()).add("fgm", fooled(1), violations=violations).case()
    assert finding(case, "rules").verdict == verdict


def test_norm_that_is_no_number_breaks_the_rules(desk: Desk) -> None:
    odd = measured()
    odd.norm[:2] = np.nan
    assert finding(desk.add("cw", odd).case(), "rules").verdict == "fail"


def test_contradicting_arrays(desk: Desk) -> None:
    assert finding(desk.add("cw", measured()).case(), "distances").measured == "0 contradictions"
    odd = measured()
    odd.distance[0] = 0  # classified correctly, fooled, and not moved
    odd.success[1] = False  # failed, and yet near
    odd.adversarial[2] = 1  # fooled, and still of its class
    odd.distance[3] = np.inf  # fooled, and never there
    found = finding(desk.add("deepfool", odd).case(), "distances")
    assert (found.verdict, found.measured) == ("fail", "4 contradictions")


def test_same_images(desk: Desk) -> None:
    part = measured(NEAR[:50])
    assert finding(desk.add("cw", measured()).add("hop", part).case(), "same_images").verdict == (
        "pass"
    )
    other = replace(part, label=np.where(np.arange(50) == 7, 2, part.label).astype(np.int16))
    found = finding(desk.add("square", other).case(), "same_images")
    assert (found.verdict, found.measured) == ("fail", "3 evaluations, 1 images not shared")


@pytest.mark.parametrize(("failing", "verdict"), [(1, "pass"), (2, "fail")])
def test_success_is_that_of_all_attacks_together(failing: int, verdict: str, desk: Desk) -> None:
    """0.5 % of 200 images is one."""
    half = np.where(np.arange(COUNT) % 2 == 0, NEAR, np.inf)
    rest = np.where(np.arange(COUNT) % 2 == 1, NEAR, np.inf)
    rest[-2 * failing + 1 :: 2] = np.inf
    case = desk.add("cw", measured(half.tolist())).add("walk", measured(rest.tolist())).case()
    assert finding(case, "success").verdict == verdict


@pytest.mark.parametrize(("longer", "verdict"), [(1.04, "pass"), (1.06, "warn")])
def test_second_opinion_compares_medians(longer: float, verdict: str, desk: Desk) -> None:
    case = desk.add("cw", measured()).add("walk", measured([longer * d for d in NEAR])).case()
    found = finding(case, "second_opinion")
    assert found.verdict == verdict
    said = f"walk {100 * (longer - 1):.1f} % farther than cw, in the median"
    assert found.measured == said


def test_a_second_opinion_is_another_attack_s_on_the_same_images(desk: Desk) -> None:
    near = [0.5 * d for d in NEAR]
    desk.add("walk", measured(near)).add("cw", measured()).add("cw", measured(near))
    part = measured(near[:50])
    found = finding(desk.add("hop", part).case(), "second_opinion")
    assert found.measured == "cw 0.0 % farther than walk, in the median"
    alone = Desk(desk.recorder.root / "alone").add("cw", measured()).add("cw", measured(near))
    assert finding(alone.case(), "second_opinion").verdict == "warn"


def test_images_are_counted_of_minimal_attacks(desk: Desk) -> None:
    case = desk.add("fgm", fooled(1), minimal=False).add("cw", measured(NEAR[:50])).case()
    assert finding(case, "images").measured == "50 images"


def test_evaluations_on_other_images_are_told(desk: Desk) -> None:
    case = replace(desk.add("cw", measured()).case(), left_out=("deepfool", "deepfool"))
    found = finding(case, "same_images")
    assert found.verdict == "warn"
    assert found.measured.endswith("on other images, and left out: deepfool")


def test_one_minimal_attack_is_no_second_opinion(desk: Desk) -> None:
    case = desk.add("cw", measured()).add("fgm", fooled(1), minimal=False).case()
    assert finding(case, "second_opinion").verdict == "warn"


def test_optimality_of_the_best_minimal_attack(desk: Desk) -> None:
    """Two attacks, each nearest on half of the images and at the farthest on the others."""
    far = max(NEAR)
    one = [d if number % 2 else far for number, d in enumerate(NEAR)]
    other = [far if number % 2 else d for number, d in enumerate(NEAR)]
    case = desk.add("cw", measured(one)).add("walk", measured(other)).case()
    found = finding(case, "optimality")
    total = sum(far - d for d in NEAR)
    best = max(sum(far - d for d in one), sum(far - d for d in other)) / total
    assert found.verdict == "warn"
    assert found.measured.startswith(f"{best:.3f} (")
    assert finding(desk.add("ddn", measured()).case(), "optimality").measured == "1.000 (ddn)"


def test_fixed_budget_that_beats_the_minimal_attacks_is_named(desk: Desk) -> None:
    minimal = measured([0.4] * 100 + [0.6] * 100)
    case = desk.add("cw", minimal).add("mim", fooled(0.51), minimal=False).case()
    assert finding(case, "budgets").verdict == "pass"
    found = finding(desk.add("apgd", fooled(0.53), minimal=False).case(), "budgets")
    assert (found.verdict, found.measured) == ("warn", "apgd fools 3.0 % more than they do")


@pytest.mark.parametrize(("transferred", "verdict"), [(0.505, "pass"), (0.52, "fail")])
def test_transfer_better_than_white_box(transferred: float, verdict: str, desk: Desk) -> None:
    desk.add("fgm", fooled(0.5), minimal=False)
    case = desk.add("fgm", fooled(transferred), minimal=False, source=desk.source).case()
    assert finding(case, "transfer").verdict == verdict


def test_images_fooled_by_transfer_alone(desk: Desk) -> None:
    """As many images, but others."""
    desk.add("fgm", measured([0.5] * 50 + [np.inf] * 150), minimal=False)
    other = measured([np.inf] * 150 + [0.5] * 50)
    found = finding(desk.add("fgm", other, minimal=False, source=desk.source).case(), "transfer")
    assert found.verdict == "fail"
    assert found.measured.endswith("50 fooled by transfer alone")


@pytest.mark.parametrize(("reach", "verdict"), [(0.5, "warn"), (0.51, "fail")])
def test_what_another_white_box_attack_finds_is_not_fooled_by_transfer_alone(
    reach: float, verdict: str, desk: Desk
) -> None:
    """`reach`: how far the other attack had to go; the radius is 0.5."""
    desk.add("mim", measured([0.5] * 50 + [np.inf] * 150), minimal=False)
    desk.add("walk", measured([np.inf] * 150 + [reach] * 50))
    other = measured([np.inf] * 150 + [0.5] * 50)
    found = finding(desk.add("mim", other, minimal=False, source=desk.source).case(), "transfer")
    assert found.verdict == verdict
    assert "which misses 50 of those" in found.measured


def test_the_worst_of_several_attacks_decides(desk: Desk) -> None:
    for attack, white, black in (("fgm", 0.5, 0.6), ("mim", 0.5, 0.5), ("apgd", 0.5, 0.4)):
        desk.add(attack, fooled(white), minimal=False)
        desk.add(attack, fooled(black), minimal=False, source=desk.source)
    found = finding(desk.case(), "transfer")
    assert (found.verdict, found.measured[:4]) == ("fail", "fgm:")


def test_comparability(desk: Desk) -> None:
    case = desk.add("cw", measured()).case()
    assert {finding(case, name).verdict for name in ("images", "seeds")} == {"warn"}
    assert finding(case, "matched").verdict == "skipped"
    assert finding(case, "adaptive").verdict == "skipped"
    matched = replace(case, matches=(match(desk.run),), seeds=3, adapted=True)
    assert finding(matched, "matched").verdict == "warn"  # 120 validation images
    assert finding(matched, "seeds").verdict == "pass"
    assert finding(matched, "adaptive").measured == "non-adaptive evaluation"
    assert finding(matched, "ended").verdict == "skipped"  # no strength would end elsewhere
    desk.add("generator", measured(), adaptive=True)
    assert finding(replace(desk.case(), adapted=True), "adaptive").measured == "generator"


def test_network_that_its_records_are_not_of(desk: Desk) -> None:
    desk.add("cw", measured())
    assert finding(desk.case(), "untouched").verdict == "pass"
    wrong = replace(measured(), clean=np.full(COUNT, 2, dtype=np.int16))
    found = finding(desk.add("walk", wrong).case(), "untouched")
    assert (found.verdict, found.measured) == ("fail", "200 of 200 images classified otherwise")


@pytest.mark.parametrize(("place", "verdict"), [(0, "warn"), (-1, "pass")])
def test_what_a_stronger_setting_would_end_at_is_told(place: int, verdict: str, desk: Desk) -> None:
    case, run = desk.add("cw", measured()).case(), desk.recorder.run("fgm", {"eps": 0.1}, EPS)
    kept = run.checkpoints[place]
    subject = Subject(run, kept, Always())
    found = finding(replace(case, subject=subject, matches=(match(run, step=kept.step),)), "ended")
    assert (found.verdict, found.measured) == (verdict, f"epoch {kept.epoch:.1f} of 2")
    assert finding(replace(case, subject=subject), "ended").verdict == "skipped"
