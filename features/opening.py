"""Opening hours as seconds of each interval: local times, clock changes and closures included.

>>> starts = np.arange("2026-03-02T06:00", "2026-03-02T10:00", 60, dtype="datetime64[m]")
>>> open_seconds(starts, 3600, {"mon": "08:30-18:00"}, "Europe/Oslo").tolist()
[0.0, 1800.0, 3600.0, 3600.0]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from data.arrays import Floats
from data.errors import DataError
from data.settings import DAYS, HOLIDAYS, Settings, opening_intervals
from features.calendar import holiday_names, local_times, utc_times

SECOND = 1_000_000
DAY = np.timedelta64(1, "D")


def open_seconds(
    starts: ArrayLike,
    step_seconds: float,
    hours: Mapping[str, str] | None,
    time_zone: str,
    closed: pd.DataFrame | None = None,
) -> Floats:
    """Open seconds of each interval [start, start + step), naive UTC, ascending.

    ``hours`` by local weekday as in presage.toml; None is always open, a day left out is closed. A
    date ("2026-12-24") goes before its weekday (``hours_of`` brings those of public holidays).
    ``closed`` has ``starts_at, ends_at`` (UTC) of closures, which are taken off.
    """
    begin = np.asarray(starts, "datetime64[us]").astype(np.int64)
    if len(begin) == 0:
        return np.zeros(0)
    end = begin + int(step_seconds * SECOND)
    if hours is None:
        spans = [(int(begin[0]), int(end[-1]))]
    else:
        spans = _spans(begin[0], end[-1], hours, time_zone)
    for first, last in _closures(closed):
        spans = [
            piece
            for low, high in spans
            for piece in ((low, min(high, first)), (max(low, last), high))
            if piece[1] > piece[0]
        ]
    total = np.zeros(len(begin))
    for low, high in spans:
        at, until = np.searchsorted(end, low, side="right"), np.searchsorted(begin, high)
        inside = slice(int(at), int(until))
        shared = np.minimum(end[inside], high) - np.maximum(begin[inside], low)
        total[inside] += np.maximum(shared, 0) / SECOND
    return total


def hours_of(
    settings: Settings, channel: str, starts: NDArray[np.datetime64]
) -> Mapping[str, str] | None:
    """A channel's opening hours by the company's clock for the days of ``starts`` (ascending):
    ``holidays`` as dates, for ``open_seconds``; None: always open.

    Where sites have hours of the channel, each day is a date, and open while any of them is.
    """
    hours = settings.opening_hours.get(channel)
    at_sites = [site for site in settings.sites.values() if channel in site.opening_hours]
    if not len(starts) or (hours is None and not at_sites):
        return hours
    company = settings.company
    days = local_times(starts[[0, -1]], company.time_zone).astype("datetime64[D]")
    first, last = days[0] - DAY, days[1] + DAY
    own = None if hours is None else with_holidays(hours, company.country, first, last)
    if not at_sites:
        return own
    clocks = [] if own is None else [(own, company.time_zone)]
    for site in at_sites:
        country = site.country or company.country
        known = with_holidays(site.opening_hours[channel], country, first - DAY, last + DAY)
        clocks.append((known, site.time_zone or company.time_zone))
    return _by_one_clock(clocks, company.time_zone, first, last)


def _by_one_clock(
    clocks: Sequence[tuple[Mapping[str, str], str]],
    time_zone: str,
    first: np.datetime64,
    last: np.datetime64,
) -> dict[str, str]:
    """Hours by several clocks as dates from ``first`` to ``last`` of one: the times in which any of
    them is open, to the minute. An hour that the clock shows twice counts once."""
    dates = np.arange(first, last + 2 * DAY, DAY)
    midnights = utc_times(dates.astype("datetime64[us]"), time_zone)
    ends = midnights.astype(np.int64)
    spans = [span for hours, zone in clocks for span in _spans(ends[0], ends[-1], hours, zone)]
    out: dict[str, str] = {}
    for date, begin, end in zip(dates[:-1], ends[:-1], ends[1:], strict=True):
        inside = [(max(low, begin), min(high, end)) for low, high in spans]
        minutes: list[list[int]] = []
        for low, high in sorted(span for span in inside if span[0] < span[1]):
            moments = np.array([low, high], "datetime64[us]")
            local = local_times(moments, time_zone) - date.astype("datetime64[us]")
            opens, closes = (int(one) for one in local // np.timedelta64(1, "m"))
            closes = 1440 if high == end else closes
            if minutes and opens <= minutes[-1][1]:
                minutes[-1][1] = max(minutes[-1][1], closes)
            elif closes > opens:
                minutes.append([opens, closes])
        texts = (f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in minutes)
        out[str(date)] = ", ".join(texts) or "closed"
    return out


def with_holidays(
    hours: Mapping[str, str], country: Sequence[str], first: np.datetime64, last: np.datetime64
) -> Mapping[str, str]:
    """The same hours with what they say of ``holidays`` as dates, from ``first`` to ``last``."""
    if HOLIDAYS not in hours:
        return hours
    return {str(day): hours[HOLIDAYS] for day in holiday_names(country, first, last)} | dict(hours)


def hours_on(hours: Mapping[str, str], day: np.datetime64) -> str:
    """What ``hours`` with dates say of a local date."""
    weekday = DAYS[(int(day.astype("datetime64[D]").astype(np.int64)) + 3) % 7]
    return hours.get(str(day), hours.get(weekday, "closed"))


def local_days(starts: ArrayLike, time_zone: str) -> NDArray[np.int64]:
    """The local date of each instant, as days since 1970-01-01."""
    return np.asarray(
        local_times(starts, time_zone).astype("datetime64[D]").astype(np.int64), np.int64
    )


def _spans(
    first: np.int64, last: np.int64, hours: Mapping[str, str], time_zone: str
) -> list[tuple[int, int]]:
    """Open spans in microseconds of UTC that touch [first, last), in order."""
    ends = np.array([first, last]).astype("datetime64[us]")
    low, high = local_days(ends, time_zone)
    wall: list[np.datetime64] = []
    for day in range(int(low) - 1, int(high) + 2):
        date = np.datetime64(day, "D")
        midnight = date.astype("datetime64[m]")
        for opens, closes in opening_intervals(hours_on(hours, date)):
            wall += [midnight + np.timedelta64(minute, "m") for minute in (opens, closes)]
    utc = utc_times(np.array(wall, "datetime64[us]"), time_zone).astype(np.int64)
    return [(int(a), int(b)) for a, b in zip(utc[::2], utc[1::2], strict=True) if b > a]


def _closures(closed: pd.DataFrame | None) -> list[tuple[int, int]]:
    if closed is None or closed.empty:
        return []
    if closed[["starts_at", "ends_at"]].isna().any(axis=None):
        raise DataError("a closure without starts_at or ends_at; give both, in UTC")
    begin = closed["starts_at"].to_numpy("datetime64[us]").astype(np.int64)
    end = closed["ends_at"].to_numpy("datetime64[us]").astype(np.int64)
    return sorted(zip(begin.tolist(), end.tolist(), strict=True))
