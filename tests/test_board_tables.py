"""The summary, the paper's table and the figure of one standing, from records made by hand."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from recordings import EPS, Recorder, drawn, finding, match, outcomes
from robench import archive, metrics
from robench.contents import AccuracyNorm
from robench.figures import accuracy_norm
from robench.paper_table import PAPER_HEADER, paper
from robench.ranking import Ranking, rank
from robench.remarks import remarks
from robench.standings import Section, sections
from robench.summary_table import summary

INF = np.inf
CLEAN = [False, True, True, True]
ONE, HALF = "[0.046, 0.699]", "[0.150, 0.850]"
"""Wilson's intervals for 1 and 2 of 4."""


def ranked(root: Path) -> tuple[Section, Ranking]:
    found = archive.read(root)
    (section,) = sections(found)
    (standing,) = section.standings
    return section, rank(standing, found.audits)


def cells(table: str) -> list[list[str]]:
    """Return the cells below the header, with plain spaces."""
    rows = table.replace("\N{NO-BREAK SPACE}", " ").splitlines()[2:]
    return [re.split(r" \| ", row.removeprefix("| ").removesuffix(" |")) for row in rows]


def test_a_ranked_line_shows_hand_computed_numbers(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    recorder.evaluation(run, "near", outcomes(CLEAN, [0, 0.25, 0.5, 2.0]))
    recorder.evaluation(run, "step", outcomes(CLEAN, [0, INF, INF, 0.5]), minimal=False)
    recorder.audit(run, [finding("a", "warn"), finding("b", "pass"), finding("c", "warn")])
    recorder.matches([match(run)])
    table = summary(ranked(tmp_path)[1])
    header = table.splitlines()[0]
    assert header.endswith("| success rate | accuracy, envelope at 0.5 | s/epoch | audit |")
    (line,) = cells(table)
    assert line[:4] == ["1", "**baseline**", "1", "4"]
    assert line[4] == "0.7500 [0.301, 0.954]"
    assert line[5].startswith("0.4167 [")  # of 0.25, 0.5 and 0.5
    assert line[6].startswith("0.3125 [")
    assert line[7:] == ["1.0000 [0.439, 1.000]", "0.0000 [0.000, 0.490]", "8.50", "warn: a, c"]


def test_an_entry_that_lacks_an_attack_shows_no_envelope(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run(name, strength=EPS) for name in ("a", "b", "c")]
    for place, run in enumerate(runs):
        recorder.evaluation(run, "near", drawn(place, 0.2))
        if place:
            recorder.evaluation(run, "far", drawn(place, 0.4))
        recorder.audit(run)
    recorder.matches([match(run) for run in runs])
    _, ranking = ranked(tmp_path)
    *_, line = cells(summary(ranking))
    assert line[:4] == ["-", "a", "1", "200"]
    assert line[4].startswith("0.9000 [")
    assert line[5:] == ["-", "-", "-", "8.50", "pass", line[-1]]
    assert line[-1].startswith("not attacked by far; run: robench eval")
    *_, far, near, envelope = cells(paper(ranking))
    assert far[1:8] == ["far", *["not run"] * 6]
    assert near[6].startswith(f"{metrics.rho_correct(drawn(0, 0.2)):.4f} [")
    assert envelope[1:] == ["*envelope*", "-", *["incomplete"] * 4, "-", "", "", "-", ""]


def test_own_and_partial_attacks_stand_in_their_rows_alone(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    source = recorder.run(seed=1, source=True)
    runs = [recorder.run(name, strength=EPS) for name in ("gan", "plain")]
    for run in runs:
        recorder.evaluation(run, "near", outcomes(CLEAN, [0, 1.0, 1.0, 1.0]))
    recorder.evaluation(runs[0], "own", outcomes(CLEAN, [0, 2.0, 2.0, 0.5]), adaptive=True)
    for made_on in (None, source):
        part = outcomes(CLEAN[:2], [0, 0.25])
        recorder.evaluation(runs[0], "hop", part, source=made_on, images="part")
    recorder.matches([match(run) for run in runs])
    _, ranking = ranked(tmp_path)
    lines = cells(paper(ranking))
    assert all(len(row) == len(PAPER_HEADER) for row in lines)
    named = [(row[1], row[7].split(" [")[0], row[10]) for row in lines]
    assert named == [
        ("near", "not run", "4"),
        ("own", "-", "4"),
        ("hop", "0.0000", "2"),
        ("*envelope*", "-", "4"),
        ("near", "not run", "4"),
        ("*envelope*", "-", "4"),
    ]
    # hop was run on one row of two and does not count; own is of the row itself.
    correct = [row[6].split(" [")[0] for row in lines if row[1] == "*envelope*"]
    assert correct == ["0.8333", "1.0000"]
    assert lines[2][5] == "1.0000 [0.207, 1.000]"


def test_audits_are_told_in_the_cell_and_in_words(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run(seed=seed) for seed in (0, 1, 2)]
    for run in runs:
        recorder.evaluation(run, "near", drawn(1, 0.2))
    recorder.matches([match(run) for run in runs])

    def audit() -> str:
        return cells(summary(ranked(tmp_path)[1]))[0][-2]

    assert audit() == "not audited"
    for run in runs[:2]:
        recorder.audit(run, [finding("slow", "warn", "strength")])
    assert audit() == "not audited"
    recorder.audit(runs[2], [finding("same", "fail")])
    assert audit() == "fail: same"
    recorder.audit(runs[2], [finding("table", "fail", "comparability")])
    _, ranking = ranked(tmp_path)
    assert cells(summary(ranking))[0][-1] == "warn: slow, table"
    assert remarks(ranking) == (
        "- **slow** (warn): 0.25 on baseline seed 0, baseline seed 1. Wanted: at least 0.5. "
        "Remedy: raise it.",
        "- **table** (fail): 0.25 on baseline seed 2. Wanted: at least 0.5. Remedy: raise it.",
    )


def test_a_remark_names_each_measured_value_with_its_rows(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run(seed=seed) for seed in range(4)]
    slow, other = finding("slow", "warn"), replace(finding("slow", "warn"), remedy="wait")
    found = [[slow], [replace(slow, measured="0.5")], [slow], [slow, other]]
    for run, findings in zip(runs, found, strict=True):
        recorder.evaluation(run, "near", drawn(1, 0.2))
        recorder.audit(run, findings)
    recorder.matches([match(run) for run in runs])
    seeds = "0.25 on baseline seed 0, baseline seed 2, baseline seed 3; 0.5 on baseline seed 1"
    assert remarks(ranked(tmp_path)[1]) == (
        f"- **slow** (warn): {seeds}. Wanted: at least 0.5. Remedy: raise it.",
        "- **slow** (warn): 0.25 on baseline seed 3. Wanted: at least 0.5. Remedy: wait.",
    )


def test_the_figure_begins_with_the_envelope(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    recorder.evaluation(run, "near", outcomes([True] * 2, [0.5, 1.0]))
    recorder.evaluation(run, "far", outcomes([True] * 2, [1.0, 0.5]))
    recorder.matches([match(run)])
    figure = accuracy_norm(*ranked(tmp_path))
    assert figure is not None
    assert isinstance(figure.content, AccuracyNorm)
    panels = figure.content.panels
    assert [panel.title for panel in panels] == ["envelope", "far", "near"]
    assert panels[0].norms[-1] == 0.5
    assert panels[0].lines[0].accuracy[-2:] == (1.0, 0.0)


def test_a_line_of_the_figure_is_the_mean_over_seeds(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    runs = [recorder.run(seed=seed) for seed in (0, 1)]
    for run, far in zip(runs, (0.5, 1.0), strict=True):
        recorder.evaluation(run, "near", outcomes([True] * 2, [far, 1.0]))
    recorder.matches([match(run) for run in runs])
    figure = accuracy_norm(*ranked(tmp_path))
    assert figure is not None
    assert isinstance(figure.content, AccuracyNorm)
    (line,) = figure.content.panels[1].lines
    middle = figure.content.panels[1].norms.index(0.75)
    assert line.label == "baseline"
    assert [one[middle] for one in (line.low, line.accuracy, line.high)] == [0.5, 0.75, 1.0]


def test_attacks_of_fixed_budget_alone_make_no_figure(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    run = recorder.run()
    recorder.evaluation(run, "step", drawn(0, 0.5), minimal=False)
    recorder.matches([match(run)])
    assert accuracy_norm(*ranked(tmp_path)) is None
