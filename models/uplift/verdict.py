"""When will it be known, and when to stop.

``minimum_detectable`` is the smallest effect that would be found 4 times in 5 (or ``power``): the
interval's reach plus the z of the power, in standard errors (Bloom 1995, "Minimum detectable
effects"). The error falls with the root of the decisions, so at today's rate ``known_on`` gives the
date by which an effect of a size would be found. Both speak of always-valid intervals, which are
what claims are made by; ``single_look`` of one look at a size fixed beforehand. ``planned_se`` says
it before there is any data.

``stop`` reads always-valid intervals only: a campaign stops itself when everything inside lies on
the harmful side, on whichever day that is first seen.

>>> round(minimum_detectable(0.01, 1000), 3)
0.039
>>> round(minimum_detectable(0.01, 1000, single_look=True), 3)
0.028
>>> known_on(0.01, decisions=1000, per_day=50, effect=0.02, as_of=datetime(2026, 1, 1))
datetime.datetime(2026, 2, 26, 4, 0)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from data.errors import DataError
from models.uplift.always import TIGHTEST_AT, always_valid_factor
from models.uplift.measurement import Measured

FAR = timedelta(days=3650)
"""Later than in ten years is never."""


def minimum_detectable(
    se: float,
    decisions: float,
    *,
    single_look: bool = False,
    level: float = 0.95,
    power: float = 0.8,
    tightest_at: float = TIGHTEST_AT,
) -> float:
    """The smallest effect found with probability ``power`` at this standard error, its size.

    ``decisions``: from how many the error comes. DataError for counts not above 0 or no shares.
    """
    from scipy.stats import norm

    if not 0 < level < 1 or not 0 < power < 1:
        raise DataError(f"level {level} and power {power} are shares between 0 and 1")
    reach = (
        float(norm.ppf((1 + level) / 2))
        if single_look
        else always_valid_factor(decisions, tightest_at=tightest_at, level=level)
    )
    return (reach + float(norm.ppf(power))) * se


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
    single_look: bool = False,
    level: float = 0.95,
    power: float = 0.8,
    tightest_at: float = TIGHTEST_AT,
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
        raise DataError(
            f"an effect of {effect} from {decisions} decisions with the error {se}: none may be 0"
        )

    def found_after(hours: int) -> bool:
        rows = decisions + per_day * hours / 24
        smallest = minimum_detectable(
            se * math.sqrt(decisions / rows),
            rows,
            single_look=single_look,
            level=level,
            power=power,
            tightest_at=tightest_at,
        )
        return smallest <= abs(effect) * (1 + 1e-9)

    late = FAR.days * 24
    if found_after(0):
        return as_of
    if per_day <= 0 or not found_after(late):
        return None
    early = 0
    while late - early > 1:
        middle = (early + late) // 2
        early, late = (early, middle) if found_after(middle) else (middle, late)
    return as_of + timedelta(hours=late)


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
