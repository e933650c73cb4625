"""What carrying a recipe out tells of as it goes."""

from dataclasses import dataclass

from robench import campaign, sweeping
from robench.planning import Plan
from robench.reproduction.recipe import Recipe
from robench.reproduction.record import Reproduction


@dataclass(frozen=True)
class Failed:
    """A run, or what an attack trains first, that failed; the rest goes on without it."""

    reason: str


Event = Recipe | Plan | campaign.Event | sweeping.Event | Failed | Reproduction
"""A recipe begins, a run begins, an epoch or an evaluation is done, a run failed, all is stored."""
