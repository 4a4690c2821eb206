"""When will it be known, and when to stop.

``minimum_detectable`` is the smallest effect that would be found 4 times in 5 (or ``power``): (z of
the level + z of the power) standard errors (Bloom 1995, "Minimum detectable effects"). The error
falls with the root of the decisions, so at today's rate ``known_on`` gives the date by which an
effect of a size would be found. ``planned_se`` says it before there is any data.

``stop`` reads always-valid intervals only: a campaign stops itself when everything inside lies on
the harmful side, on whichever day that is first seen.

>>> round(minimum_detectable(0.01), 3)
0.028
>>> known_on(0.01, decisions=1000, per_day=50, effect=0.02, as_of=datetime(2026, 1, 1))
datetime.datetime(2026, 1, 20, 6, 0)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from data.errors import DataError
from models.uplift.measurement import Measured

FAR = timedelta(days=3650)
"""Later than in ten years is never."""


def minimum_detectable(se: float, *, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest effect found with probability ``power`` at this standard error, its size."""
    return _factor(level, power) * se


def planned_se(rate: float, contacted: float, left_alone: float) -> float:
    """The standard error of a difference of two rates with so many customers in each arm."""
    if not 0 <= rate <= 1 or contacted <= 0 or left_alone <= 0:
        raise DataError(
            f"a rate of {rate} with {contacted} contacted and {left_alone} left alone: a rate is "
            "from 0 to 1, and both arms need somebody"
        )
    return math.sqrt(rate * (1.0 - rate) * (1.0 / contacted + 1.0 / left_alone))


def known_on(
    se: float,
    *,
    decisions: float,
    per_day: float,
    effect: float,
    as_of: datetime,
    level: float = 0.95,
    power: float = 0.8,
) -> datetime | None:
    """The date by which ``effect`` would be found, or None (not within ten years at this rate).

    Parameters
    ----------
    se: today's standard error, from ``decisions`` decisions; ``per_day`` more come every day.
    effect: the size asked about, not 0, e.g. the smallest that pays.

    Raises
    ------
    DataError: an effect of 0 is never known; counts that are not above 0.
    """
    if effect == 0 or decisions <= 0 or se <= 0:
        raise DataError(f"an effect of {effect} from {decisions} decisions with the error {se}")
    needed = decisions * (_factor(level, power) * se / abs(effect)) ** 2
    missing = max(0.0, needed - decisions)
    if missing and (per_day <= 0 or missing / per_day > FAR.days):
        return None
    hours = math.ceil(24.0 * missing / per_day) if missing else 0
    return as_of + timedelta(hours=hours)


def stop(measured: Iterable[Measured]) -> str | None:
    """Why the campaign stops, or None: the first measurement whose interval is all harm."""
    for one in measured:
        if one.verdict == "harms":
            return (
                f"{one.action}: contact changed {one.outcome} by {one.effect:+.4g} "
                f"({one.always_low:+.4g} to {one.always_high:+.4g}, at any look) over "
                f"{one.contacted} contacted and {one.left_alone} left alone: it harms"
            )
    return None


def _factor(level: float, power: float) -> float:
    from scipy.stats import norm

    if not 0 < level < 1 or not 0 < power < 1:
        raise DataError(f"level {level} and power {power} are shares between 0 and 1")
    return float(norm.ppf((1 + level) / 2) + norm.ppf(power))
