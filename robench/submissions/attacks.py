"""The attacks that records name: what they are is known here, whether they ran is not."""

from collections.abc import Iterator

import numpy as np

from robench import panel
from robench.archive import Archive, Result
from robench.attack import AdaptiveAttack, Attack
from robench.attacking import adversaries, judge
from robench.audit.auditing import audit
from robench.data import Data
from robench.errors import UserError
from robench.evaluation import Subject
from robench.plugins import ATTACKS
from robench.records import Evaluation
from robench.settings import configure
from robench.verification import Finding

NEARER = 0.1
"""Share by which an attack repeated may come nearer to an image than recorded: machines differ."""
FEW = 0.1
"""Share of the images on which it may come nearer than that: some attacks draw at random."""


def declared(found: Archive) -> Iterator[Finding]:
    """Compare the kind and the radius of each evaluation with those of the attack it names."""
    for record in (one.evaluation for one in found.results):
        try:
            attack = _attack(record)
        except UserError as error:
            yield Finding(record.key, "attack", 0, 0, left=str(error))
            continue
        wrong = (record.minimal, record.radius) != (attack.minimal, attack.radius)
        wrong |= record.adaptive != isinstance(attack, AdaptiveAttack)
        yield Finding(record.key, "attack", 1, int(wrong))


def repeated(found: Archive, subject: Subject, data: Data, images: int) -> Iterator[Finding]:
    """Attack and audit an enclosed network anew and compare with what was recorded.

    Every white-box attack, on the first `images` of its images, differs where it now comes nearer
    by more than `NEARER` to more than `FEW` of them: a network must not look more robust than it
    is. An audit differs where a check fails that passed.
    """
    key, step = subject.run.key, subject.checkpoint.step
    for result in found.results:
        record = result.evaluation
        if record.white_box and (record.run, record.step) == (key, step):
            yield _again(subject, result, data, images)
    recorded, now = found.audits.get(subject.checkpoint.sha256), audit(subject, data, found)
    failed = {one.check for one in recorded.failed} if recorded else set()
    new = sorted({one.check for one in now.failed} - failed)
    name = f"{key}, step {step}"
    yield Finding(name, "audit repeated", len(now.findings), len(new), ", ".join(new))


def _attack(record: Evaluation) -> Attack:
    """Return the attack of a record; UserError where it is not one that is installed here."""
    if ":" in record.attack:
        raise UserError(f"{record.attack!r} is of no package")
    plugin = ATTACKS.recorded(record.attack)
    return configure(plugin.cls, record.settings, plugin.name)


def _again(subject: Subject, result: Result, data: Data, images: int) -> Finding:
    record = result.evaluation
    try:
        attack = _attack(record)
    except UserError as error:
        return Finding(record.key, "attack repeated", 0, 0, left=str(error))
    if isinstance(attack, AdaptiveAttack) or record.engine != "robench":
        why = "it is not one that needs the network alone"
        return Finding(record.key, "attack repeated", 0, 0, left=why)
    known = result.outcomes.at(np.arange(min(images, record.count)))
    shown = panel.of(data, known.index.astype(np.int64))
    network, classes = subject.network, subject.run.classes
    given = (network, classes, attack, shown, record.attack)
    made, _ = adversaries(*given, precision=record.precision, bar=False)
    now = judge(network, made, shown, attack.radius).outcomes
    nearer = now.distance < (1 - NEARER) * known.distance
    wrong = int(nearer.sum()) if nearer.mean() > FEW else 0
    reason = f"it comes nearer by more than {NEARER:.0%}, on {wrong} images" if wrong else ""
    return Finding(record.key, "attack repeated", len(known.label), wrong, reason)
