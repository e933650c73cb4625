"""The robustness curves of a section: what is a point, what a curve, and what the paper had."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recordings import EPS, PAPERS, Recorder, drawn, match, outcomes
from robench import archive, metrics
from robench.contents import Curve, RobustnessCurve
from robench.dominance import Dominance
from robench.figures import Figure, robustness_curve
from robench.outer import outer
from robench.records import Evaluation, Run, Setting, Strength
from robench.robustness_text import robustness
from robench.standings import Section, sections


def section(root: Path) -> Section:
    (found,) = sections(archive.read(root))
    return found


def panels(root: Path) -> dict[str, Curve]:
    """Return the panels of the only section's robustness curve, by title."""
    figure = robustness_curve(section(root))
    assert figure is not None
    assert isinstance(figure.content, RobustnessCurve)
    return {panel.title: panel for panel in figure.content.panels}


def settings_of(panel: Curve, variant: int) -> list[str]:
    return [point.setting for point in panel.points if point.variant == variant]


def attacked(
    recorder: Recorder, run: Run, scale: float, attack: str = "cw", **given: Setting
) -> Evaluation:
    far = drawn(run.spec.seed, scale, 60)
    return recorder.evaluation(run, attack, far, settings={**PAPERS, **given})


def test_a_point_is_the_mean_over_the_seeds_of_one_strength(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    measured = []
    for seed, right in ((0, 3), (1, 1)):
        run = recorder.run("fgm", {"eps": 0.1}, EPS, seed=seed)
        clean = np.arange(4) < right
        measured.append(outcomes(clean.tolist(), np.where(clean, 0.5 + seed, 0.0)))
        recorder.evaluation(run, "cw", measured[-1])
    recorder.evaluation(
        recorder.run("fgm", {"eps": 0.4}, EPS), "cw", outcomes([True] * 4, [1.0] * 4)
    )
    first, second = panels(tmp_path)["cw"].points
    rhos = [metrics.rho(one) for one in measured]
    assert rhos == [0.375, 0.375]
    assert (first.setting, first.seeds) == ("eps=0.1", ((0.375, 0.75), (0.375, 0.25)))
    assert (first.benign.value, first.benign.low, first.benign.high) == (0.5, 0.25, 0.75)
    assert (second.setting, second.seeds, second.rho.value) == ("eps=0.4", (), 1.0)
    assert second.benign.low < 1.0  # of one seed, over images


def test_earlier_checkpoints_are_no_points_even_where_they_were_matched(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    recorder.evaluation(run, "cw", drawn(0, 0.2, 60))
    recorder.evaluation(run, "cw", drawn(1, 0.4, 60), step=5)
    recorder.matches([match(run, "training")])
    (point,) = panels(tmp_path)["cw"].points
    assert point.rho.value == pytest.approx(metrics.rho(drawn(0, 0.2, 60)), abs=1e-5)


def test_strengths_are_joined_from_the_weakest(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for value in (0.5, 0.05, 2.0):
        attacked(recorder, recorder.run("fgm", {"eps": value}, EPS), 0.2)
        attacked(recorder, recorder.run("pgn", {"c_l": value}, Strength("c_l", "down")), 0.2)
    (panel,) = panels(tmp_path).values()
    assert settings_of(panel, 0) == ["eps=0.05", "eps=0.5", "eps=2"]
    assert settings_of(panel, 1) == ["c_l=2", "c_l=0.5", "c_l=0.05"]


def test_a_strength_that_is_no_number_is_drawn_all_the_same(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for value in ("strong", "faint"):
        attacked(recorder, recorder.run("fgm", {"eps": value}, EPS), 0.2)
    attacked(recorder, recorder.run("pgd", {"steps": 3}, EPS), 0.2)
    (panel,) = panels(tmp_path).values()
    assert settings_of(panel, 0) == ["eps=faint", "eps=strong"]
    assert settings_of(panel, 1) == [""]


def test_attacks_of_lone_points_are_left_out_where_others_have_curves(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run("fgm", {"eps": eps}, EPS) for eps in (0.1, 0.2)]
    attacked(recorder, runs[0], 0.3, "near")
    attacked(recorder, runs[0], 0.3, "far")
    assert list(panels(tmp_path)) == ["far", "near"]
    attacked(recorder, runs[1], 0.3, "near")
    assert list(panels(tmp_path)) == ["near"]


def test_published_points_stand_beside_the_first_variant_under_the_papers_attack(
    tmp_path: Path,
) -> None:
    recorder = Recorder(tmp_path)
    recorder.study("cifar10")
    for variant in ("fgm", "fgm (through_attack=true)", "trades"):
        run = recorder.run(variant.partition(" ")[0], {"v": variant}, variant=variant)
        attacked(recorder, run, 0.2)
        attacked(recorder, run, 0.2, searches=9)
        attacked(recorder, run, 0.2, "walk")
    found = panels(tmp_path)
    assert set(found) == {"cw (searches=5)", "cw (searches=9)", "walk"}
    marks = found["cw (searches=5)"].published
    assert [mark.variant for mark in marks] == [0] * 7  # the paper's seven strengths of FGM
    assert (marks[0].rho, marks[0].benign) == (0.255, 0.921)
    assert not found["cw (searches=9)"].published
    assert not found["walk"].published


@pytest.mark.parametrize("published", ["none", "moon"])
def test_nothing_published_is_drawn_unless_a_study_of_the_protocol_names_it(
    tmp_path: Path, published: str
) -> None:
    recorder = Recorder(tmp_path)
    attacked(recorder, recorder.run("fgm"), 0.2)
    recorder.study(published)
    Recorder(tmp_path, replace(recorder.spec, epochs=3)).study("cifar10", "other")
    assert not panels(tmp_path)["cw"].published


def test_of_several_studies_the_one_with_published_results_counts(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.run("fgm")
    recorder.study("none", "a")
    assert section(tmp_path).study == recorder.study("none", "a")
    named = recorder.study("cifar100", "z")
    assert section(tmp_path).study == named


def three_curves(root: Path) -> Recorder:
    """Record two variants of two strengths that share accuracies, and one of a single strength."""
    recorder = Recorder(root)
    for place, name in enumerate(("fgm", "pgd")):
        for eps, right in ((0.1, 8), (0.2, 4)):
            run = recorder.run(name, {"eps": eps}, EPS)
            clean = np.arange(10) < right
            far = np.where(clean, 1.0 + eps + place, 0.0)
            recorder.evaluation(run, "cw", outcomes(clean.tolist(), far))
    alone = recorder.run("pgn|x", {"eps": 0.1}, EPS)
    recorder.evaluation(alone, "cw", outcomes([True] * 10, [1.0] * 10))
    recorder.evaluation(alone, "aa", outcomes([True] * 10, [1.0] * 10))
    return recorder


def test_curves_are_compared_under_the_attack_that_most_were_measured_with(tmp_path: Path) -> None:
    three_curves(tmp_path)
    found = outer(section(tmp_path))
    assert found is not None
    assert found.track.title == "cw"
    (pair,) = found.pairs
    assert isinstance(pair, Dominance)
    # rho is the distance times the share that is right: at 0.8 and 0.4 they differ by just these.
    assert (pair.low_accuracy, pair.high_accuracy) == (0.4, 0.8)
    assert pair.advantage.value == pytest.approx(-0.6)
    assert (pair.leader, pair.points, pair.seeds) == ("pgd", (2, 2), (1, 1))
    said = robustness(section(tmp_path), [])
    assert said[0] == "### Robustness curve"
    assert "Bars are 95 % intervals over images." in said[2]
    assert "Hollow points" not in said[2]
    assert said[3].startswith("**Which curve lies further out, under cw**, over the benign ")
    assert said[3].endswith(r"Not compared, as of one strength alone: pgn\|x.")
    assert "| fgm - pgd | 0.400 to 0.800 | -0.2400 | -0.6000 [" in said[4]


def test_without_two_curves_nothing_is_compared_and_the_page_says_so(tmp_path: Path) -> None:
    assert robustness(empty(tmp_path), []) == []
    recorder = Recorder(tmp_path)
    attacked(recorder, recorder.run("fgm"), 0.2)
    found = outer(section(tmp_path))
    assert found is not None
    assert found.pairs == ()
    figures: list[Figure] = []
    said = robustness(section(tmp_path), figures)
    assert "Nothing is compared: it takes two defenses of two strengths" in said[3]
    assert [figure.caption for figure in figures] == [
        "Robustness curve: benign accuracy against rho of cw, digits"
    ]


def test_what_is_drawn_is_said(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.study("cifar10")
    for seed in (0, 1):
        attacked(recorder, recorder.run("fgm", seed=seed), 0.2)
    said = robustness(section(tmp_path), [])[2]
    assert "Points are means over training seeds; bars and bands span the seeds" in said
    assert "the paper's, read off its plot; its networks were of full width, after 200" in said


def empty(root: Path) -> Section:
    """Return a section without evaluations."""
    Recorder(root).run()
    return section(root)
