"""A local clock brought to UTC, and the moment up to which an export is complete.

Twice a year a local clock does not tell the time. In the hour that it repeats in autumn, a time
is read as the first of the two; in the hour that it skips in spring, as if the clock had not been
put forward yet. Both are counted, so that a note can say so.

>>> import pandas as pd
>>> local = pd.Series(pd.to_datetime(["2026-07-01 12:00", "2026-10-25 01:30", "2026-03-29 01:30"]))
>>> found = to_utc(local, "Europe/London")
>>> found.utc.dt.strftime("%d %b %H:%M").tolist()
['01 Jul 11:00', '25 Oct 00:30', '29 Mar 01:30']
>>> found.repeated, found.skipped
(1, 1)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from data.errors import UsageError

SLACK = timedelta(minutes=30)
"""How much earlier the last day's last row may be than on days like it (``last_midnight``)."""

WEEKS = 8
"""How many weeks before the last day are compared with it."""


@dataclass(frozen=True)
class Converted:
    """Times in UTC (naive datetime64[us]), masks of those that the clock left open, and the same
    times by the local clock."""

    utc: pd.Series
    is_repeated: pd.Series
    is_skipped: pd.Series
    local: pd.Series

    @property
    def repeated(self) -> int:
        """How many lie in an hour that the clock shows twice; read as the first."""
        return int(self.is_repeated.sum())

    @property
    def skipped(self) -> int:
        """How many lie in an hour that the clock leaves out; read as before the change."""
        return int(self.is_skipped.sum())

    def notes(self, column: str) -> tuple[str, ...]:
        """Sentences for the report; none where every time was clear."""
        notes = []
        if self.repeated:
            notes.append(
                f"{column}: {self.repeated} rows lie in the hour that the clock shows twice in "
                "autumn; read as the first of the two"
            )
        if self.skipped:
            notes.append(
                f"{column}: {self.skipped} rows lie in the hour that the clock skips in spring; "
                "read as if it had not been put forward yet"
            )
        return tuple(notes)


def zone(name: str) -> ZoneInfo:
    """The IANA zone of that name; UsageError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(
            f'"{name}" is not an IANA time zone; one looks like "Europe/London"'
        ) from None


def to_utc(local: pd.Series, name: str) -> Converted:
    """Naive times of a local clock in UTC; nulls stay null."""
    place = zone(name)
    first = np.ones(len(local), dtype=bool)
    strict = local.dt.tz_localize(place, ambiguous=first, nonexistent="NaT")
    skipped = strict.isna() & local.notna()
    before = local.dt.tz_localize(place, ambiguous=first, nonexistent="shift_backward")
    offset = before.dt.tz_localize(None) - before.dt.tz_convert("UTC").dt.tz_localize(None)
    second = local.dt.tz_localize(place, ambiguous=~first, nonexistent="shift_forward")
    return Converted(
        (local - offset).astype("datetime64[us]"),
        (strict != second) & local.notna() & ~skipped,
        skipped,
        local,
    )


def second_of_two(local: pd.Series, name: str) -> pd.Series:
    """The same in UTC, read as the second of the two where the clock shows a time twice."""
    second = np.zeros(len(local), dtype=bool)
    later = local.dt.tz_localize(zone(name), ambiguous=second, nonexistent="shift_forward")
    return later.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")


def from_utc(utc: pd.Series, name: str) -> pd.Series:
    """Naive UTC times as the local clock showed them."""
    return utc.dt.tz_localize("UTC").dt.tz_convert(zone(name)).dt.tz_localize(None)


def moment_to_utc(local: datetime, name: str) -> datetime:
    """One time of a local clock in UTC, naive."""
    converted = to_utc(pd.Series([local], dtype="datetime64[us]"), name).utc
    return pd.Timestamp(converted.iloc[0]).to_pydatetime()


def last_midnight(local: pd.Series) -> datetime:
    """The local midnight up to which rows that arrive all day long are complete.

    An export may have been made in the middle of its last day. That day counts as complete only
    if its last row is as late as the last rows of the same weekday in the eight weeks before
    (the earliest of them, less half an hour); otherwise the day is left out.
    """
    last = local.max()
    day = last.normalize()
    latest = local.groupby(local.dt.normalize()).max()
    alike = [day - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    before = [latest[date] - date for date in alike if date in latest.index]
    whole = bool(before) and last - day >= min(before) - SLACK
    end: datetime = (day + timedelta(days=1) if whole else day).to_pydatetime()
    return end


def complete_to(options: Mapping[str, str], newest: datetime) -> datetime:
    """The moment that the option ``complete_to`` states (UTC), else the one found."""
    if "complete_to" not in options:
        return newest
    try:
        stated = datetime.fromisoformat(options["complete_to"])
    except ValueError:
        raise UsageError(
            f'complete_to="{options["complete_to"]}" is not a time like 2016-06-01 or '
            "2016-06-01T04:00"
        ) from None
    if stated.tzinfo is not None:
        return stated.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
    return stated
