"""The audits of a run file: by the crew, then what is left of them by this process."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

from robench import archive, mirrors
from robench.audit.auditing import current
from robench.campaign import Campaign, audits
from robench.data import Data
from robench.executors.crew import Crew
from robench.executors.executor import News
from robench.executors.schedule import Schedule
from robench.executors.work import Work, auditing
from robench.records import Run
from robench.studies.events import Auditing, Evaluated, Event
from robench.sweeping import Aside


def audited(
    campaign: Campaign,
    runs: Sequence[Run],
    checkpoints: Collection[tuple[str, int]],
    data: Data,
    crew: Crew,
) -> Iterator[Event]:
    """Audit checkpoints, named by run and step, that have been attacked and are matched.

    A crew has each done by a worker; what failed there is tried again here. `campaign`: any of
    those that attacked them, for where things lie.
    """
    yield Auditing(len(checkpoints))
    made: set[str] = set()
    missing = [] if crew.kind == "local" else _missing(campaign, runs, checkpoints)
    if len(missing) > 1:
        with closing(crew.executor(Work())) as executor:
            schedule = Schedule(executor, crew.retries)
            for run, step in missing:
                schedule.add(auditing(campaign, run, step))
            for news in schedule.steps():
                if isinstance(news, News) and "audited" in news.says:
                    made.add(str(news.says["audited"]))
                yield Aside(news)
        mirrors.refresh(campaign.runs)
    for audit, new in audits(campaign.runs, list(runs), checkpoints, data):
        yield Evaluated(audit, new or audit.key in made)


def _missing(
    campaign: Campaign, runs: Sequence[Run], checkpoints: Collection[tuple[str, int]]
) -> list[tuple[Run, int]]:
    """Return the checkpoints that have to be audited, each with its run."""
    found, by_key = archive.read(campaign.runs), {run.key: run for run in runs}
    asked = [(by_key[key], step) for key, step in sorted(checkpoints)]
    return [(run, step) for run, step in asked if not current(run.at(step).sha256, found)]
