"""Numbers as they are drawn and hashed: rounding hides differences in the last bits of sums."""

from collections.abc import Iterable

from robench.metrics import Interval

DIGITS = 5
"""Decimals that are kept."""


def rounded(values: Iterable[float]) -> tuple[float, ...]:
    """Return numbers as they are drawn and hashed."""
    return tuple(round(float(value), DIGITS) for value in values)


def rounded_interval(measured: Interval) -> Interval:
    """Return an interval as it is drawn and hashed."""
    return Interval(*rounded((measured.value, measured.low, measured.high)))
