"""What can be evaluated while others are still trained: the graph of a run file's tasks.

A variant of a defense is matched when all its cells have ended, whatever the others do. What
matched is attacked white-box at once, black-box once the source is there, which the first match
has trained; of the black-box tasks of one attack the first makes the images on the source, and the
others wait for it. Records are named by what decides them: what is evaluated ahead is found, not
made, by the evaluations in their order, which store the matches.
"""

from collections.abc import Iterator, Sequence

from robench.arsenal import suits
from robench.campaign import Campaign, attacks_of
from robench.evaluation import NamedAttack
from robench.executors.executor import Task
from robench.executors.work import attacking, sourcing
from robench.matching import match
from robench.planning import Plan
from robench.records import Run
from robench.sweeping import Ended
from robench.training import variant

Node = tuple[Task, tuple[str, ...]]
"""A task and the names of those that it comes after."""


class Ahead:
    """Finds out, whenever a cell has ended, what can be evaluated from then on."""

    def __init__(self, campaigns: Sequence[Campaign], plans: Sequence[Plan]) -> None:
        """`plans`: all trainings of the run file."""
        self._campaigns = [(one, attacks_of(one)) for one in campaigns]
        self._variants = {one.spec.key: variant(one.spec, one.defense) for one in plans}
        self._left: dict[str, set[str]] = {}
        for key, name in self._variants.items():
            self._left.setdefault(name, set()).add(key)
        self._runs: dict[str, list[Run]] = {}
        self._asked: set[str] = set()
        self._makers: dict[tuple[str, str, str], str] = {}

    def after(self, ended: Ended) -> Iterator[Node]:
        """Yield the tasks that can be asked for now that a cell has ended."""
        if ended.state == "busy":
            return  # it is come back to
        key = ended.cell.spec.key
        name = self._variants[key]
        self._left[name].discard(key)
        if ended.run:
            self._runs.setdefault(name, []).append(ended.run)
            for campaign, attacks in self._campaigns:
                if campaign.finals:
                    yield from self._white(campaign, attacks, ended.run, ended.run.final.step)
        if not self._left[name]:
            yield from self._matched(self._runs.pop(name, []))

    def _matched(self, runs: Sequence[Run]) -> Iterator[Node]:
        by_key = {run.key: run for run in runs}
        for campaign, attacks in self._campaigns:
            for target in campaign.targets if runs else ():
                for found in match(runs, target, campaign.tolerance):
                    if found.how != "unmatched":
                        run = by_key[found.run]
                        yield from self._white(campaign, attacks, run, found.step)
                        yield from self._black(campaign, attacks, run, found.step)

    def _white(
        self, campaign: Campaign, attacks: Sequence[NamedAttack], run: Run, step: int
    ) -> Iterator[Node]:
        for named in attacks:
            if suits(named, run.spec):
                yield from self._once(attacking(campaign, run, step, named.label, black=False))

    def _black(
        self, campaign: Campaign, attacks: Sequence[NamedAttack], run: Run, step: int
    ) -> Iterator[Node]:
        source = sourcing(campaign, run)
        yield from self._once(source)
        for named in attacks:
            if named.adaptive or not suits(named, run.spec):
                continue
            white = attacking(campaign, run, step, named.label, black=False)
            black = attacking(campaign, run, step, named.label, black=True)
            made_by = (source.name, repr(campaign), named.label)
            maker = self._makers.setdefault(made_by, black.name)
            yield from self._once(black, source.name, white.name, maker)

    def _once(self, task: Task, *after: str) -> Iterator[Node]:
        """Yield a task, unless it was asked for before."""
        if task.name not in self._asked:
            self._asked.add(task.name)
            yield task, tuple(name for name in after if name != task.name)
