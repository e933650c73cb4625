"""An audit: every check asked of one evaluated checkpoint, and the answers kept."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from robench import panel
from robench.archive import AUDITS, Archive, Result
from robench.arsenal import suits
from robench.attack import AdaptiveAttack
from robench.audit import comparing, masking, recorded, slopes, strength, wrapper
from robench.audit.case import Case
from robench.audit.check import Check
from robench.data import Data
from robench.environment import describe, installed
from robench.errors import UserError
from robench.evaluation import NamedAttack, Subject
from robench.imported.record import Imported
from robench.plugins import ATTACKS
from robench.records import Audit, Match
from robench.runs import write_json
from robench.settings import configure
from robench.standings import on_common_images

CHECKS: tuple[Check, ...] = (
    *wrapper.CHECKS,
    *slopes.CHECKS,
    *recorded.CHECKS,
    *strength.CHECKS,
    *masking.CHECKS,
    *comparing.CHECKS,
)
IMAGES = 256
"""Images that the network is probed with, of those attacked."""


def audit(subject: Subject, data: Data, found: Archive, images: int = IMAGES) -> Audit:
    """Ask every check of a checkpoint whose evaluations are in `found`; nothing is written.

    `images`: how many to probe the network with. Raises UserError where nothing attacked it.
    """
    started = time.perf_counter()
    case = case_of(subject, data, found, images)
    findings = tuple(one.finding(case) for one in CHECKS)
    return Audit(
        run=subject.run.key,
        step=subject.checkpoint.step,
        weights=subject.checkpoint.sha256,
        evaluations=tuple(one.evaluation.key for one in case.results),
        findings=findings,
        count=len(case.panel),
        seconds=round(time.perf_counter() - started, 3),
        environment=describe(case.device),
    )


def audited(root: Path, subject: Subject, data: Data, found: Archive) -> tuple[Audit, bool]:
    """Return the audit of a checkpoint, and whether it had to be made; it is kept under `root`.

    One that has seen the same evaluations under the same version is not made again.
    """
    if there := current(subject.checkpoint.sha256, found):
        return there, False
    made = audit(subject, data, found)
    write_json(root / AUDITS / f"{made.key}.json", asdict(made))
    return made, True


def current(weights: str, found: Archive) -> Audit | None:
    """Return the audit of weights that need not be made again; None where there is none."""
    there = found.audits.get(weights)
    keys = {one.evaluation.key for one in _results(weights, found)}
    version = installed("robench")
    same = there and set(there.evaluations) == keys and there.environment.get("robench") == version
    return there if same else None


def case_of(subject: Subject, data: Data, found: Archive, images: int = IMAGES) -> Case:
    """Return what the checks see of a checkpoint."""
    results = _results(subject.checkpoint.sha256, found)
    if not results:
        raise UserError(
            f"step {subject.checkpoint.step} of {subject.run.key} was not attacked, so there is "
            "nothing to audit; attack it: robench eval --matched-accuracy ..."
        )
    shown = on_common_images(results)[0].outcomes.index[:images].astype(np.int64)
    matches = [one for one in found.matches if _names(one, subject)]
    return Case(
        subject=subject,
        panel=panel.of(data, shown),
        results=results,
        train=data.train,
        matches=tuple(matches),
        seeds=min((_seeds(one, found.matches) for one in matches), default=1),
        adapted=_adapted(subject),
    )


def _results(weights: str, found: Archive) -> tuple[Result, ...]:
    """Return the evaluations of a checkpoint on one set of images, and on parts of it."""
    own = [one for one in found.results if one.evaluation.weights == weights]
    common = on_common_images(own)
    if not common:
        return ()
    known = set(common[0].outcomes.index.tolist())
    return tuple(one for one in own if known.issuperset(one.outcomes.index.tolist()))


def _names(match: Match, subject: Subject) -> bool:
    return (match.run, match.step) == (subject.run.key, subject.checkpoint.step)


def _seeds(match: Match, matches: Sequence[Match]) -> int:
    """Return how many seeds of a match's variant are matched at its accuracy."""
    return len(
        {
            one.seed
            for one in matches
            if one.how != "unmatched"
            and (one.protocol, one.variant, one.target)
            == (match.protocol, match.variant, match.target)
        }
    )


def _adapted(subject: Subject) -> bool:
    """Tell whether an installed attack was made for the defense of a checkpoint."""
    if isinstance(subject.run, Imported):
        return False
    kinds = [plugin for plugin in ATTACKS.available() if issubclass(plugin.cls, AdaptiveAttack)]
    made = [NamedAttack(one.name, configure(one.cls, {}, one.name)) for one in kinds]
    return any(suits(one, subject.trained.spec) for one in made)
