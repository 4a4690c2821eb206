"""Quiet hours, local to the customer: when they may be contacted next.

A window is the next span of time outside the quiet hours: it begins now, or when they end. Where
clocks change, the doubtful hour is quiet: quiet hours begin at the earlier, and end at the later,
of two moments with one local name.

>>> window(datetime(2026, 3, 1, 6), "Europe/Oslo", "20:00", "08:00")
(datetime.datetime(2026, 3, 1, 7, 0), datetime.datetime(2026, 3, 1, 19, 0))
>>> window(datetime(2026, 3, 1, 12), "America/Lima", "20:00", "08:00")[0]
datetime.datetime(2026, 3, 1, 13, 0)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Times
from data.errors import SettingsError
from data.setting_checks import minute_of_day
from data.settings_company import check_time_zone

AHEAD = timedelta(hours=24)
"""A decision is for a day: a window that opens later belongs to another one."""
DAY = 24 * 60


def window(
    now: datetime, time_zone: str, quiet_from: str, quiet_to: str
) -> tuple[datetime, datetime] | None:
    """The next span [opens, closes) in which a contact is allowed, in naive UTC.

    None where none opens within ``AHEAD``. Equal ends: there are no quiet hours, and the span is
    the day from ``now``. SettingsError for a time zone that is not known.
    """
    zone = _zone(time_zone)
    if zone is None:
        check_time_zone(time_zone)
        raise SettingsError(f"time_zone {time_zone!r} cannot be read")
    begin, end = minute_of_day(quiet_from, "quiet_from"), minute_of_day(quiet_to, "quiet_to")
    if begin == end:
        return now, now + AHEAD
    here = now.replace(tzinfo=UTC).astimezone(zone).date()
    spans = []
    for ahead in range(-1, 4):
        day = here + timedelta(days=ahead)
        starts = min(_utc(day, begin, zone, fold) for fold in (0, 1))
        over = end if end > begin else end + DAY
        ends = max(_utc(day, over, zone, fold) for fold in (0, 1))
        spans.append((starts, ends))
    opens = now
    for starts, ends in spans:
        if starts <= opens < ends:
            opens = ends
    closes = next((starts for starts, _ in spans if starts > opens), opens + AHEAD)
    return (opens, closes) if opens < now + AHEAD else None


def local_date(moment: datetime, time_zone: str) -> date:
    """The date there at a moment (naive UTC)."""
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone)).date()


def local_day(moment: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """The day there that holds a moment: its first moment and the next day's, in naive UTC."""
    zone, day = ZoneInfo(time_zone), local_date(moment, time_zone)
    begin, end = (
        datetime.combine(each, time(), zone).astimezone(UTC).replace(tzinfo=None)
        for each in (day, day + timedelta(days=1))
    )
    return begin, end


def windows(
    now: datetime,
    zones: Sequence[str | None] | npt.NDArray[np.object_],
    otherwise: str,
    quiet_from: str,
    quiet_to: str,
) -> tuple[Times, Times, npt.NDArray[np.bool_]]:
    """``window`` of every customer: when it opens and closes (NaT: none), and whether their time
    zone is one that is known. ``otherwise``: the zone of those who state none."""
    codes, names = pd.factorize(pd.Series(zones, dtype=object).fillna(otherwise))
    opens = np.full(len(names), "NaT", dtype="datetime64[us]")
    closes = opens.copy()
    known = np.ones(len(names), dtype=bool)
    for at, name in enumerate(names):
        if _zone(str(name)) is None:
            known[at] = False
            continue
        span = window(now, str(name), quiet_from, quiet_to)
        if span is not None:
            opens[at], closes[at] = np.datetime64(span[0], "us"), np.datetime64(span[1], "us")
    if not len(names):
        return opens, closes, known
    return opens[codes], closes[codes], known[codes]


@lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _utc(day: date, minute: int, zone: ZoneInfo, fold: int) -> datetime:
    local = datetime.combine(day + timedelta(days=minute // DAY), time())
    local = local.replace(hour=minute % DAY // 60, minute=minute % 60, tzinfo=zone, fold=fold)
    return local.astimezone(UTC).replace(tzinfo=None)
