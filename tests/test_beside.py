"""Our numbers beside the paper's: which stand there, and what a ratio is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recordings import PAPERS, SPEC, Recorder, drawn, match, outcomes
from robench import archive, leaderboard
from robench.beside import Beside, beside, over
from robench.beside_table import beside_cells, beside_part
from robench.errors import UserError
from robench.outcomes import Outcomes
from robench.ranking import rank
from robench.records import Run
from robench.standings import sections

FAR = {"baseline": 0.25, "fgm": 0.5, "fgm (through_attack=true)": 0.75, "own": 2.0}


def found(root: Path) -> Beside | None:
    records = archive.read(root)
    (section,) = sections(records)
    return beside(section, [rank(one, records.audits) for one in section.standings])


def even(distance: float, count: int = 20) -> Outcomes:
    """Return a network that is right on all images but one in five, all at one distance."""
    clean = np.arange(count) % 5 != 0
    return outcomes(clean.tolist(), np.where(clean, distance, 0.0))


def suite(root: Path, seeds: Sequence[int] = (0,), published: str = "cifar10") -> list[Run]:
    """Record four variants at one target, three of them of defenses that the paper has."""
    recorder = Recorder(root)
    runs = [
        recorder.run(name.partition(" ")[0], {"v": name}, seed=seed, variant=name)
        for name in FAR
        for seed in seeds
    ]
    for run in runs:
        far = FAR[run.variant] * (1 + run.spec.seed)
        recorder.evaluation(run, "cw", even(far), settings=PAPERS)
        recorder.evaluation(run, "walk", even(far / 2))
    recorder.matches([match(run) for run in runs])
    recorder.study(published)
    return runs


def test_a_ratio_is_that_of_the_means_over_seeds_with_paired_images() -> None:
    rho, ratio = over([even(1.0), even(3.0)], [even(0.5), even(0.5)], ("a", "b"))
    assert (rho.value, ratio.value) == pytest.approx((1.6, 4.0))
    # Seeds alone move it: images that both lack, or both have, cancel.
    assert (ratio.low, ratio.high) == pytest.approx((2.0, 6.0))
    assert rho.low < 0.8 * 1.0 + 1e-9
    _, same = over([even(1.0)], [even(0.5)], ("a", "b"))
    assert (same.low, same.value, same.high) == pytest.approx((2.0, 2.0, 2.0))
    _, itself = over([drawn(0, 1.0), drawn(1, 2.0)], [drawn(0, 1.0), drawn(1, 2.0)], ("a", "a"))
    assert (itself.low, itself.value, itself.high) == (1.0, 1.0, 1.0)


def test_other_images_are_refused() -> None:
    with pytest.raises(UserError, match="different test images"):
        over([even(1.0, 20)], [even(1.0, 25)], ("a", "b"))


def test_each_variant_of_a_published_defense_stands_beside_the_papers(tmp_path: Path) -> None:
    suite(tmp_path)
    compared = found(tmp_path)
    assert compared is not None
    header, rows = beside_cells(compared)
    assert header == [
        *("over the baseline's, at 0.70", "over the baseline's, paper"),
        *("rho of cw, at 0.70", "rho of cw, paper"),
        *("benign accuracy, at 0.70", "benign accuracy, paper", "s/epoch", "s/epoch, paper"),
    ]
    shown = {line.variant: row for line, row in zip(compared.lines, rows, strict=True)}
    assert list(shown) == ["baseline", "fgm", "fgm (through_attack=true)"]
    fgm = [cell.split(" [")[0] for cell in shown["fgm"]]
    # Table 3: 0.4196 under FGM training, 0.1742 without.
    assert fgm == ["2.0000", "2.4087", "0.4000", "0.4196", "0.8000", "0.9180", "8.50", "25.14"]
    assert shown["baseline"][:2] == ["1.0000 [1.000,\N{NO-BREAK SPACE}1.000]", "1.0000"]
    assert shown["fgm (through_attack=true)"][0].startswith("3.0000 [")
    part = beside_part(compared)
    assert part[0] == "### Beside the paper's Table 3"
    assert "of full width, after 200 epochs, with a benign accuracy of 0.92." in part[1]
    assert "NVIDIA RTX 2080 Ti" in part[1]
    page = leaderboard.render(tmp_path)["README.md"].decode()
    assert part[2] in page


def test_seeds_are_pooled_and_targets_stand_side_by_side(tmp_path: Path) -> None:
    runs = suite(tmp_path, (0, 1))
    Recorder(tmp_path).matches([match(run, target=0.65) for run in runs if run.variant == "fgm"])
    compared = found(tmp_path)
    assert compared is not None
    header, rows = beside_cells(compared)
    assert header[:2] == ["over the baseline's, at 0.65", "over the baseline's, at 0.70"]
    assert len(header) == 3 * 3 + 2
    fgm = next(row for line, row in zip(compared.lines, rows, strict=True) if line.variant == "fgm")
    assert fgm[0] == "-"  # no baseline is matched there
    assert fgm[1].startswith("2.0000 [")
    assert fgm[3].startswith("0.6000 [")


def test_failures_mark_the_distance_and_its_ratio(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run(name) for name in ("baseline", "fgm")]
    for run, failing in zip(runs, (0.0, 0.2), strict=True):
        recorder.evaluation(run, "cw", drawn(0, 0.2, 50, failing), settings=PAPERS)
    recorder.matches([match(run) for run in runs])
    recorder.study("cifar10")
    compared = found(tmp_path)
    assert compared is not None
    rows = beside_cells(compared)[1]
    assert [row[0].endswith("†") for row in rows] == [False, True]
    assert [row[2].endswith("†") for row in rows] == [False, True]


def test_nothing_stands_beside_what_was_not_measured_as_published(tmp_path: Path) -> None:
    suite(tmp_path / "none", published="none")
    suite(tmp_path / "moon", published="moon")
    assert found(tmp_path / "none") is None
    assert found(tmp_path / "moon") is None
    recorder = Recorder(tmp_path / "other")
    run = recorder.run("fgm")
    recorder.evaluation(run, "cw", even(1.0), settings={**PAPERS, "searches": 9})
    recorder.evaluation(run, "cw", even(1.0), settings=PAPERS, engine="art")
    recorder.evaluation(run, "cw", even(1.0), settings=PAPERS, source=recorder.run(seed=5))
    recorder.matches([match(run)])
    recorder.study("cifar10")
    assert found(tmp_path / "other") is None


def test_a_seed_without_the_attack_leaves_its_defense_out(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, replace(SPEC, epochs=4))
    runs = [recorder.run(name, seed=seed) for name in ("baseline", "fgm") for seed in (0, 1)]
    for run in runs[:3]:
        recorder.evaluation(run, "cw", even(1.0), settings=PAPERS)
    recorder.evaluation(runs[3], "walk", even(1.0))
    recorder.matches([match(run) for run in runs])
    recorder.study("cifar100")
    compared = found(tmp_path)
    assert compared is not None
    assert compared.terms.table == "Table 2"
    rows = beside_cells(compared)[1]
    assert [row[0][:3] for row in rows] == ["1.0", "-"]
