"""What the README says is what there is."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from robench import archive
from robench.cli import COMMANDS, cli
from robench.comparison import compare
from robench.ranking import Entry, rank
from robench.standings import sections

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
VARIANTS = {
    **{name: name for name in ("baseline", "fgm", "pgd")},
    "pgn of the code": "pgn (generator_width=0.25)",
    "pgn of the text": "pgn (preset=paper, generator_width=0.25)",
}
"""What the lines of the README's first table show, by the word they begin with."""


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    """Return the ranked entries that the README's first table is of, by variant."""
    (at,) = re.findall(r"^At benign accuracy (0\.\d+), ", README, re.MULTILINE)
    found = archive.read(ROOT / "leaderboard" / "records")
    standings = [one for section in sections(found) for one in section.standings]
    (standing,) = (one for one in standings if one.target == float(at))
    return {one.variant: one for one in rank(standing, found.audits).entries}


def test_the_first_table_is_that_of_the_records(entries: dict[str, Entry]) -> None:
    row = re.compile(rf"\| (\d) \| ({'|'.join(VARIANTS)})\b[^|]*\| (\d) \|")
    lines = [line for line in README.splitlines() if row.match(line)]
    assert len(lines) == len(VARIANTS)
    for line in lines:
        place, defense, seeds = row.findall(line)[0]
        entry = entries[VARIANTS[defense]]
        assert (entry.rank, len(entry.rows)) == (int(place), int(seeds))
        assert entry.numbers is not None
        numbers = [entry.numbers.benign.value]
        for one in (entry.numbers.rho_correct, entry.numbers.rho):
            numbers += [one.value, one.low, one.high]
        assert re.findall(r"\d\.\d{3}", line) == [f"{number:.3f}" for number in numbers]


def test_the_differences_are_those_of_the_records(entries: dict[str, Entry]) -> None:
    pair = r"`([\w ]+)` (?:is ahead of|leads) `([\w ]+)` by (\S+) \[(\S+), (\S+)\]"
    said = re.findall(pair, " ".join(README.split()))
    assert said
    rows = {name: entries[name].envelopes for name in VARIANTS.values()}
    found = {(one.first, one.second): one for one in compare(rows)}
    for first, second, *numbers in said:
        names = VARIANTS[first], VARIANTS[second]
        one = found.get(names) or found[names[::-1]]
        sign = 1 if names in found else -1
        ends = sorted([sign * one.low, sign * one.high])
        assert numbers == [f"{number:.3f}" for number in (sign * one.value, *ends)]


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
