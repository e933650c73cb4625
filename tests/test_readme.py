"""What the README says is what there is."""

import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import robench
from robench import archive
from robench.cli import COMMANDS, cli
from robench.ranking import Entry, rank
from robench.standings import sections

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
VARIANTS = {
    **{name: name for name in ("baseline", "fgm", "pgd")},
    "pgn": "pgn (generator_width=0.25)",
}
"""What the lines of the README's first table show, by the word they begin with."""


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    """Return the white-box results that the README's first table is about."""
    frame = robench.evaluations(ROOT / "leaderboard" / "records")
    found = re.findall(r"^At benign accuracy (0\.\d+), ", README, re.MULTILINE)
    assert found == ["0.60"]
    matches = archive.read(ROOT / "leaderboard" / "records").matches
    chosen = {(m.run, m.step) for m in matches if m.target == float(found[0])}
    rows = [(run, step) in chosen for run, step in zip(frame["run"], frame["step"], strict=True)]
    return frame[frame["white_box"] & pd.Series(rows)]


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    """Return the ranked entries that the README's first table is of, by variant."""
    found = archive.read(ROOT / "leaderboard" / "records")
    standings = [one for section in sections(found) for one in section.standings]
    (standing,) = (one for one in standings if one.target == 0.6)
    return {one.variant: one for one in rank(standing, found.audits).entries}


def test_the_results_are_those_of_the_records(
    results: pd.DataFrame, entries: dict[str, Entry]
) -> None:
    row = re.compile(r"\| \d \| (fgm|pgd|pgn|baseline)\b")
    lines = [line for line in README.splitlines() if row.match(line)]
    assert len(lines) == 4
    for line in lines:
        place, defense = re.findall(r"^\| (\d) \| (\w+)", line)[0]
        own = results[results["variant"] == VARIANTS[defense]].set_index("attack")
        entry, cw = entries[VARIANTS[defense]], own.loc["cw"]
        assert entry.rank == int(place)
        assert entry.numbers is not None
        envelope = entry.numbers.rho_correct
        numbers = [cw.benign, envelope.value, envelope.low, envelope.high]
        numbers += [cw.rho, cw.rho_low, cw.rho_high]
        numbers += [own.loc["fgm"].accuracy, own.loc["mim"].accuracy]
        shown = re.findall(r"\d\.\d{3}", line)
        assert shown == [f"{number:.3f}" for number in numbers]


def test_the_other_readings_have_the_ranks_that_are_said(entries: dict[str, Entry]) -> None:
    assert "readings of `fgm` (rank 1, a tie) and `pgn` (rank 5)" in README
    assert entries["fgm (through_attack=true)"].rank == entries["fgm"].rank == 1
    assert entries["pgn (preset=paper, generator_width=0.25)"].rank == 5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown_and_takes_the_options_shown(command: str) -> None:
    calls = re.findall(rf"^robench {command}\b([^#\n]*)", README, re.MULTILINE)
    assert calls
    said = CliRunner().invoke(cli, [command, "--help"]).output
    for option in {word for call in calls for word in re.findall(r"--[a-z-]+", call)}:
        assert f"{option} " in said


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
