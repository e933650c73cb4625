"""What carrying a run file out tells of as it goes."""

from dataclasses import dataclass

from robench import campaign, sweeping
from robench.study_record import Study


@dataclass(frozen=True)
class Evaluating:
    """An evaluation begins."""

    number: int
    """Its place among those of the file, from 1."""
    count: int
    asked: campaign.Campaign


@dataclass(frozen=True)
class Auditing:
    """All evaluations are done; what matched is audited."""

    count: int
    """Checkpoints."""


@dataclass(frozen=True)
class Evaluated:
    """One step of an evaluation, or an audit."""

    step: campaign.Event
    new: bool


@dataclass(frozen=True)
class Waiting:
    """Another process is evaluating the same; it is waited for."""

    reason: str


@dataclass(frozen=True)
class Missed:
    """What an evaluation did not come to: a target that nothing matches, an attack that failed."""

    reason: str


Event = sweeping.Event | Evaluating | Evaluated | Auditing | Waiting | Missed | Study
"""A step of a training or an evaluation; the record, once all trainings have ended."""
