"""Records of few images that a ranking is made of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recordings import EPS, Recorder, match, outcomes
from robench import archive
from robench.outcomes import Outcomes
from robench.ranking import Entry, Ranking, rank
from robench.records import Run
from robench.standings import sections

COUNT = 40


def at(distance: float, failing: int = 0, count: int = COUNT) -> Outcomes:
    """Return outcomes in which every image lies at one distance, but for failures."""
    far = np.full(count, distance)
    far[:failing] = np.inf
    return outcomes([True] * count, far)


def ranked(root: Path) -> Ranking:
    """Rank the one standing of the records."""
    found = archive.read(root)
    (section,) = sections(found)
    (standing,) = section.standings
    return rank(standing, found.audits)


def runs_of(recorder: Recorder, names: Sequence[str], seeds: Sequence[int] = (0,)) -> list[Run]:
    """Record matched runs, a name and a seed each."""
    runs = [recorder.run(name, seed=seed, strength=EPS) for name in names for seed in seeds]
    recorder.matches([match(run) for run in runs])
    return runs


def audited(recorder: Recorder, runs: Sequence[Run]) -> None:
    for run in runs:
        recorder.audit(run)


def ranks(ranking: Ranking) -> list[tuple[str, int | None]]:
    return [(entry.variant, entry.rank) for entry in ranking.entries]


def only(ranking: Ranking) -> Entry:
    (entry,) = ranking.entries
    return entry
