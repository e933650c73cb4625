"""Twenty faults, every kind among them; `make soak` runs two hundred."""

from pathlib import Path

from soak.driver import Verdict, undisturbed, verdicts
from soak.faults import SHARES, drawn
from soak.processes import Processes

SEED = 5


def test_faults_are_drawn_by_their_seed() -> None:
    assert drawn(SEED, 200) == drawn(SEED, 200)
    assert drawn(SEED, 200) != drawn(SEED + 1, 200)
    assert {fault.kind for fault in drawn(SEED, 20)} == set(SHARES)


def test_nothing_is_lost_or_wrong_after_twenty_faults(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        stages = undisturbed(processes, tmp_path / "undisturbed")
        found = list(verdicts(processes, stages, drawn(SEED, 20), tmp_path))
    assert len(found) == 20
    assert [one for one in found if not _right(one)] == []


def _right(verdict: Verdict) -> bool:
    return verdict.outcome in ("same", "named")
