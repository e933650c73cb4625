"""Each broken defense is caught by the checks that are there for it; the honest network passes."""

from pathlib import Path

import pytest

from audited import ATTACKS, IMAGES, attacked, digits, finding, shown, trained
from robench.audit.auditing import CHECKS
from robench.audit.broken import BROKEN
from robench.audit.case import Case
from robench.data import Data
from robench.evaluation import Subject


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def subject(root: Path) -> Subject:
    return trained(root)


@pytest.fixture(scope="module")
def data(root: Path, subject: Subject) -> Data:
    return digits(subject, root)


@pytest.fixture(scope="module")
def honest(subject: Subject, data: Data, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return attacked(tmp_path_factory.mktemp("honest"), subject, subject.network, data)


def test_the_issue_s_broken_defenses_are_there() -> None:
    wanted = {"quantised", "scaled", "randomised", "preprocessed", "leaking", "softmax"}
    assert wanted <= BROKEN.keys()
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert all(set(one.caught_by) <= set(names) and one.caught_by for one in BROKEN.values())


LARGER = {"memorising": ({"fgm.eps": 0.5}, 200)}
"""The attacks and images that show what a few images hide."""


@pytest.mark.parametrize("name", BROKEN)
def test_broken_defense_is_caught_by_name(
    name: str, subject: Subject, data: Data, honest: Case, tmp_path: Path
) -> None:
    broken = BROKEN[name]
    settings, images = LARGER.get(name, (ATTACKS, IMAGES))
    network = broken.breaks(subject.network, shown(data, images))
    case = attacked(tmp_path, subject, network, data, settings, images)
    for check in broken.caught_by:
        found = finding(case, check)
        assert found.verdict == "fail", found
        assert found.remedy
        assert finding(honest, check).verdict == "pass"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_honest_network_fails_no_check(check: object, honest: Case) -> None:
    found = finding(honest, check.name)  # type: ignore[attr-defined]
    assert found.verdict != "fail", found


@pytest.mark.parametrize(("steps", "check"), [(1, "success"), (6, "converged")])
def test_attack_that_gives_up_too_early_is_caught(
    steps: int, check: str, subject: Subject, data: Data, tmp_path: Path
) -> None:
    few = attacked(tmp_path, subject, subject.network, data, {"ddn.steps": steps})
    assert finding(few, check).verdict == "fail"
    many = attacked(tmp_path / "more", subject, subject.network, data, {"walk.ddn_steps": 100})
    assert finding(many, check).verdict == "pass"
