"""Questions to a trained network: does it survive every installed attack, and an audit?"""

from collections.abc import Iterator
from typing import Any, Protocol

from robench import archive, panel
from robench.arsenal import suits
from robench.attack import Attack, TrainedAttack
from robench.audit.auditing import CHECKS, case_of
from robench.audit.check import Reading
from robench.checking.check import Untried, check, failed, passed, told
from robench.checking.trial import Trial
from robench.errors import UserError
from robench.evaluation import NamedAttack, evaluate
from robench.plugins import ATTACKS, Plugin
from robench.settings import configure, declared

FEW = 10
"""What whole numbers among an attack's settings are lowered to: steps, searches, queries."""
IMAGES = 8


class Trained(Protocol):
    """A case with a training that has ended."""

    @property
    def trained(self) -> Trial:
        """Return the training."""


def brief(plugin: Plugin[Attack]) -> NamedAttack:
    """Return an attack with a small budget, or as it is by default where it takes no such."""
    counts = {field.name: field.default for field in declared(plugin.cls) if field.kind is int}
    most = 1 if issubclass(plugin.cls, TrainedAttack) else FEW
    few = {name: min(int(count), most) for name, count in counts.items()}
    try:
        return NamedAttack(plugin.name, configure(plugin.cls, few, plugin.name))
    except UserError:
        return NamedAttack(plugin.name, configure(plugin.cls, {}, plugin.name))


@check(
    wants="every installed attack runs against the trained network",
    remedy="see the error; the classifier is attacked alone, from `model` to logits, without what "
    "`loss` does around it",
)
def attacks(case: Trained) -> Reading:
    """Can the trained network be attacked?"""
    ran, wrong = [], []
    for name, error in _attacked(case.trained):
        ran.append(name)
        wrong += [f"{name}: {told(error)}"] if error else []
    return failed("; ".join(wrong)) if wrong else passed(", ".join(ran))


@check(
    wants="the audit's checks of integrity pass",
    remedy="read docs/audit.md on the check that is named",
)
def audit(case: Trained) -> Reading:
    """Would an audit take the trained network for a fixed function to logits?"""
    trial = case.trained
    found = archive.read(trial.root)
    if not found.results:
        raise Untried("no attack ended; see `attacks`")
    looked = case_of(trial.subject(), trial.data, found, IMAGES)
    findings = [one.finding(looked) for one in CHECKS if one.family == "integrity"]
    wrong = [f"{one.check}: {one.measured}" for one in findings if one.verdict == "fail"]
    names = ", ".join(one.check for one in findings)
    return failed("; ".join(wrong)) if wrong else passed(names)


def _attacked(trial: Trial) -> Iterator[tuple[str, Exception | None]]:
    """Attack the network; yield each attack's name, and what it raised if it did."""
    subject, data = trial.subject(), trial.data
    shown = panel.choose(data, IMAGES, 0)
    for plugin in ATTACKS.available():
        named = brief(plugin)
        if not suits(named, trial.spec):
            continue
        given: tuple[Any, ...] = (trial.root, subject, named, shown)
        try:
            evaluate(*given, data=data)
        except Exception as error:  # of an attack, or of what the defense trained
            yield plugin.name, error
        else:
            yield plugin.name, None
