"""An audit: every check asked of one evaluated checkpoint, and the answers kept."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from robench import panel
from robench.archive import AUDITS, Archive, Result
from robench.arsenal import suits
from robench.attack import AdaptiveAttack
from robench.audit import comparing, masking, recorded, slopes, strength, wrapper
from robench.audit.case import Case
from robench.audit.check import Check
from robench.data import Data, mixed
from robench.environment import describe, installed
from robench.errors import UserError
from robench.evaluation import NamedAttack, Subject
from robench.imported.record import Imported
from robench.plugins import ATTACKS
from robench.records import Audit, Match, digest
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
        matches=_hash(_matches(found, subject.run.key, subject.checkpoint.step), found),
    )


def audited(root: Path, subject: Subject, data: Data, found: Archive) -> tuple[Audit, bool]:
    """Return the audit of a checkpoint, and whether it had to be made; it is kept under `root`.

    One that has seen the same evaluations and matches, by the same checks and version, is not made
    again; of one that has seen other matches, what depends on these alone.
    """
    sha256 = subject.checkpoint.sha256
    if there := current(sha256, found):
        return there, False
    if (there := found.audits.get(sha256)) and _measured(there, found):
        made = _rematched(there, case_of(subject, data, found), found)
    else:
        made = audit(subject, data, found)
    write_json(root / AUDITS / f"{made.key}.json", asdict(made))
    return made, True


def current(weights: str, found: Archive) -> Audit | None:
    """Return the audit of weights that need not be made again; None where there is none."""
    there = found.audits.get(weights)
    same = there and _measured(there, found) and there.matches == _seen(there, found)
    return there if same else None


def _measured(there: Audit, found: Archive) -> bool:
    """Tell whether an audit has seen the evaluations that there are, by the checks of today.

    One that does not say which matches it saw is older than the probes' being of all classes.
    """
    keys = {one.evaluation.key for one in _results(there.weights, found)[0]}
    return (
        bool(there.matches)
        and set(there.evaluations) == keys
        and {one.check for one in there.findings} == {one.name for one in CHECKS}
        and there.environment.get("robench") == installed("robench")
    )


def _rematched(there: Audit, case: Case, found: Archive) -> Audit:
    """Return an audit with what depends on matches asked anew."""
    anew = {one.name: one for one in comparing.OF_MATCHES}
    findings = tuple(
        anew[one.check].finding(case) if one.check in anew else one for one in there.findings
    )
    return replace(there, findings=findings, matches=_seen(there, found))


def _seen(there: Audit, found: Archive) -> str:
    """Return the hash of the matches that an audit of the same checkpoint would see now."""
    return _hash(_matches(found, there.run, there.step), found)


def _hash(matches: Sequence[Match], found: Archive) -> str:
    """Return the hash of the matches of a checkpoint, and of how many seeds stand beside it."""
    own = [asdict(one) | {"seeds": _seeds(one, found.matches)} for one in matches]
    return digest(sorted(own, key=str))


def case_of(subject: Subject, data: Data, found: Archive, images: int = IMAGES) -> Case:
    """Return what the checks see of a checkpoint."""
    results, left = _results(subject.checkpoint.sha256, found)
    if not results:
        raise UserError(
            f"step {subject.checkpoint.step} of {subject.run.key} was not attacked, so there is "
            "nothing to audit; attack it: robench eval --matched-accuracy ..."
        )
    attacked = on_common_images(results)[0].outcomes
    # Mixed, so that the first few of them, too, are of all classes.
    shown = attacked.index[mixed(attacked.label.astype(np.int64), 0)[:images]].astype(np.int64)
    matches = _matches(found, subject.run.key, subject.checkpoint.step)
    return Case(
        subject=subject,
        panel=panel.of(data, shown),
        results=results,
        left_out=tuple(one.evaluation.attack for one in left),
        train=data.train,
        matches=matches,
        seeds=min((_seeds(one, found.matches) for one in matches), default=1),
        adapted=_adapted(subject),
    )


def _results(weights: str, found: Archive) -> tuple[tuple[Result, ...], tuple[Result, ...]]:
    """Return the evaluations of a checkpoint on one set of images and parts of it, and others."""
    own = tuple(one for one in found.results if one.evaluation.weights == weights)
    common = on_common_images(own)
    if not common:
        return (), own
    known = set(common[0].outcomes.index.tolist())
    kept = tuple(one for one in own if known.issuperset(one.outcomes.index.tolist()))
    return kept, tuple(one for one in own if one not in kept)


def _matches(found: Archive, run: str, step: int) -> tuple[Match, ...]:
    """Return the matches that name a checkpoint."""
    return tuple(one for one in found.matches if (one.run, one.step) == (run, step))


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
