"""Settings of an attack that make no sense, refused when the attack is made."""

import math

from robench.errors import UserError


def above_zero(attack: object, *names: str) -> None:
    """Raise UserError unless each named setting is finite and above 0."""
    for name in names:
        value = getattr(attack, name)
        if not (math.isfinite(value) and value > 0):
            raise UserError(f"{type(attack).__name__}: {name}={value} must be above 0")


def at_least(attack: object, **lowest: float) -> None:
    """Raise UserError unless each named setting is finite and not below the number given."""
    for name, low in lowest.items():
        value = getattr(attack, name)
        if not (math.isfinite(value) and value >= low):
            raise UserError(f"{type(attack).__name__}: {name}={value} must be at least {low}")
