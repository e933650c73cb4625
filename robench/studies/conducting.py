"""Carry a run file out: train and evaluate what is missing, and record what was asked."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from robench import mirrors
from robench.archive import STUDIES
from robench.campaign import Campaign, NothingMatches, audited_before
from robench.campaign import conduct as evaluated
from robench.claim import Busy, claimed
from robench.containment import contained
from robench.data import Data
from robench.environment import choose_device, describe
from robench.errors import RunFailed
from robench.executors.crew import ALONE, Crew
from robench.planning import Plan
from robench.records import Match, Run
from robench.runs import write_json
from robench.studies.ahead import Ahead
from robench.studies.auditing import audited
from robench.studies.events import Evaluated, Evaluating, Event, Missed, Waiting
from robench.studies.run_file import RunFile, plans_of
from robench.study_record import Study
from robench.sweeping import Ended, Then, nothing, together


def conduct(
    file: RunFile,
    *,
    wait: Callable[[], object] = ALONE.wait,
    bar: bool = False,
    crew: Crew = ALONE,
) -> Iterator[Event]:
    """Train what is missing of a run file, carry its evaluations out in their order, audit.

    A training that fails stops no other, and no evaluation that matches nothing stops the next.
    All is stored as soon as it is known: a repeated call goes on where the last one stopped.
    Several processes share the trainings, each of which one of them does; the evaluations are
    done by the first that comes to them, and the others wait. A crew evaluates what it can while
    others are trained; the evaluations in their order then find it. `wait` is called between looks
    at what another is working on. Raises UserError for a mistake before anything is written.
    """
    plans = plans_of(file)
    runs = []
    folder = contained(file.runs, file.runs / STUDIES)
    with ExitStack() as claim:
        then = nothing if crew.kind == "local" else _ahead(claim, folder, file, plans)
        for event in together(plans, wait, bar=bar, crew=crew, then=then):
            yield event
            runs += [event.run] if isinstance(event, Ended) and event.run else []
        made = _study(file, plans)
        write_json(folder / f"{made.name}.json", asdict(made))
        yield made
        if runs:
            if then is nothing:
                yield from _claim(claim, folder, wait)
            mirrors.refresh(file.runs)  # what workers on other hosts, or another command, made
            yield from _evaluations(file, runs, plans[0].data, bar=bar, crew=crew)


def _ahead(claim: ExitStack, folder: Path, file: RunFile, plans: Sequence[Plan]) -> Then:
    """Return what evaluates while others are trained; nothing where another process evaluates."""
    try:
        claim.enter_context(claimed(folder))
    except Busy:
        return nothing
    return Ahead(file.campaigns, plans).after


def _study(file: RunFile, plans: Sequence[Plan]) -> Study:
    return Study(
        name=file.name,
        title=file.title,
        protocol=plans[0].spec.protocol,
        published=file.published,
        file=file.text,
        environment=describe(choose_device(file.requests[0].device)),
    )


def _claim(claim: ExitStack, folder: Path, wait: Callable[[], object]) -> Iterator[Event]:
    """Claim a folder for as long as `claim` lasts; where another has it, say so once and wait."""
    told = False
    while True:
        try:
            claim.enter_context(claimed(folder))
            return
        except Busy as error:
            if not told:
                yield Waiting(str(error))
        told = True
        wait()


def _evaluations(
    file: RunFile, runs: list[Run], data: Data, *, bar: bool, crew: Crew
) -> Iterator[Event]:
    """Carry all evaluations out, then audit: an audit is of all that attacked a checkpoint."""
    only = frozenset(run.key for run in runs)
    matched: set[tuple[str, int]] = set()
    for number, campaign in enumerate(file.campaigns, start=1):
        asked = replace(campaign, only=only, audit=False)
        yield Evaluating(number, len(file.campaigns), asked)
        for event in _evaluation(asked, bar=bar):
            step = event.step if isinstance(event, Evaluated) else None
            if campaign.audit and isinstance(step, Match) and step.how != "unmatched":
                matched.add((step.run, step.step))
            yield event
    finals = {(run.key, run.final.step) for run in runs}
    matched |= audited_before(file.runs, finals)
    if matched:
        yield from audited(file.campaigns[0], runs, matched, data, crew)


def _evaluation(asked: Campaign, *, bar: bool) -> Iterator[Event]:
    """Carry one evaluation out, and tell what it did not come to."""
    missed = set(asked.targets)
    try:
        for step, new in evaluated(asked, bar=bar):
            if isinstance(step, Match) and step.how != "unmatched":
                missed.discard(step.target)
            yield Evaluated(step, new)
    except NothingMatches:
        pass  # each target is told of below
    except RunFailed as error:
        yield Missed(str(error))
    for target in sorted(missed):
        yield Missed(f"nothing matches at {target:g}; the lines above say what to train")
