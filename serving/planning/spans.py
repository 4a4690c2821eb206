"""A planner's span of time, in the company's clock, and the overrides that meet in it.

>>> from datetime import datetime
>>> company_time(datetime(2026, 3, 2, 8), "starts_at", "Europe/Oslo")
datetime.datetime(2026, 3, 2, 7, 0)
>>> meets("total", "channel=email"), meets("channel=chat", "channel=email")
(True, False)
>>> meets("channel=chat", "topic=billing"), meets("calls", "mails")
(True, False)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from data.store import Override
from features.calendar import local_times, utc_times
from models.coherence import is_node


def company_time(value: datetime, name: str, time_zone: str) -> datetime:
    """A time as naive UTC; one without a zone is the company's.

    A time that the clock change skips is the first that exists after it. Of one that occurs twice,
    ``starts_at`` is the first and ``ends_at`` the second, so that a span holds both.
    """
    if value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    first: datetime = pd.Timestamp(utc_times(np.array([value]), time_zone)[0]).to_pydatetime()
    if name == "starts_at":
        return first
    later = first + timedelta(hours=1)
    again = pd.Timestamp(local_times(np.array([later]), time_zone)[0]).to_pydatetime()
    return later if again == value else first


def local_days_of(starts: pd.Series, time_zone: str) -> list[datetime]:
    """The starts (naive UTC) of the local days that the intervals fall into, in order."""
    local = pd.DatetimeIndex(local_times(starts.to_numpy(), time_zone)).normalize().unique()
    return [pd.Timestamp(at).to_pydatetime() for at in utc_times(local.sort_values(), time_zone)]


def meets(one: str, other: str) -> bool:
    """Whether two series share contacts: a total with its parts, a channel with a topic."""
    if one == other:
        return True
    if not (is_node(one) and is_node(other)):
        return False
    if "total" in (one, other):
        return True
    mine, theirs = _attributes(one), _attributes(other)
    return all(theirs.get(name, value) == value for name, value in mine.items())


def _attributes(name: str) -> dict[str, str]:
    return {part.partition("=")[0]: part.partition("=")[2] for part in name.split("/")}


def overlapping(
    unique_id: str, starts: datetime, ends: datetime, others: Sequence[Override]
) -> list[Override]:
    """The overrides that change some of the same contacts in [starts, ends)."""
    return [
        other
        for other in others
        if other.starts_at < ends and starts < other.ends_at and meets(unique_id, other.unique_id)
    ]
