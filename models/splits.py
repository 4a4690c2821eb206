"""At which as-of times a model may learn: those whose labels are complete.

An as-of time T with horizon h and gap g sees history before T and has its label in
``[T + g, T + g + h)``. What is known at K labels the times up to K - g - h; a model that is judged
later learned from none that reaches beyond K.

>>> newest = last_labelled(datetime(2026, 4, 30), 14)
>>> [f"{time:%d %B}" for time in as_of_grid(datetime(2026, 4, 1), newest, timedelta(days=7))]
['02 April', '09 April', '16 April']
"""

from __future__ import annotations

from datetime import datetime, timedelta

from data.errors import DataError, NotEnoughHistory


def as_of_grid(first: datetime, last: datetime, step: timedelta) -> list[datetime]:
    """Every ``step`` back from ``last`` down to ``first``, ascending; ``last`` is always in it.

    Counted from the end, so that the newest as-of time is as near to now as its labels allow.
    """
    if step <= timedelta(0):
        raise DataError(f"the step between as-of times is {step}; it must be above zero")
    if last < first:
        raise NotEnoughHistory(
            f"there is no as-of time between {first} and {last}: "
            f"{(first - last).total_seconds() / 86400:.1f} days of history are missing"
        )
    count = (last - first) // step
    return [last - step * back for back in range(count, -1, -1)]


def last_labelled(known_as_of: datetime, horizon_days: float, gap_days: float = 0) -> datetime:
    """The newest as-of time whose label is complete by ``known_as_of``."""
    return known_as_of - timedelta(days=horizon_days + gap_days)
