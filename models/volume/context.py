"""What a forecast may know besides the counts: where the company is, when it is open, what is due.

>>> VolumeContext(country=("NO",), time_zone="Europe/Oslo").time_zone
'Europe/Oslo'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from models.volume.driver_source import DriverSource

EMPTY: Mapping[str, Mapping[str, str]] = MappingProxyType({})
NO_COUNTRY: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True)
class VolumeContext:
    """Country (for holidays), time zone (for days), opening hours per channel, calendar events.

    ``calendar`` has the contract's calendar columns; an event enters a forecast only where
    ``announced_at`` < as of, so the whole table may be handed over. ``local_days``: daily steps
    begin at local midnights (as series counted from tickets do); None: found from the counts.
    ``drivers``: the tables behind orders overdue, errors and open tickets, for series counted from
    tickets; of these, too, only what was known at the cutoff enters. ``calendar_known``: events
    announced by this moment count even where the counts end before it, so that news of the calendar
    can be told from news of counts. The others say what is counted: at most ``history_days`` back
    (0: all), tickets ``split_by`` other columns too, and bots' hand-overs without a ticket as
    contacts of ``handed_over_channel`` ("": not). ``issue_hours``: of contacts of one issue, as
    ``series.first_of_issues`` tells them, only the first is counted; 0: all are. ``country_by``:
    whose holidays count instead of ``country``, by series or by a part of its id (``site=oslo``).
    """

    country: tuple[str, ...] = ()
    time_zone: str = "UTC"
    opening_hours: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: EMPTY)
    calendar: pd.DataFrame | None = None
    local_days: bool | None = None
    drivers: DriverSource | None = None
    calendar_known: np.datetime64 | None = None
    history_days: int = 0
    split_by: tuple[str, ...] = ()
    handed_over_channel: str = ""
    issue_hours: float = 0.0
    country_by: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_COUNTRY)

    def country_of(self, unique_id: str) -> tuple[str, ...]:
        """The countries whose holidays count for a series."""
        if self.country_by:
            for name in (unique_id, *unique_id.split("/")):
                if name in self.country_by:
                    return self.country_by[name]
        return self.country

    def events(self, as_of: np.datetime64) -> pd.DataFrame:
        """Calendar events as known at ``as_of`` (naive UTC): announced before, the newest version
        recorded by then, none that was taken back; an empty frame if there is no calendar.
        """
        if self.calendar is None or self.calendar.empty:
            return pd.DataFrame(columns=["name", "kind", "starts_at", "ends_at"])
        if self.calendar_known is not None:
            as_of = max(as_of, self.calendar_known)
        rows, moment = self.calendar, pd.Timestamp(as_of)
        rows = rows[rows["announced_at"] < moment]
        if "recorded_at" in rows.columns:
            recorded = rows["recorded_at"].fillna(rows["announced_at"])
            rows = rows[recorded <= moment].sort_values("recorded_at", kind="stable")
        if "event_id" in rows.columns:
            rows = rows.drop_duplicates("event_id", keep="last")
        if "deleted" in rows.columns:
            rows = rows[~rows["deleted"].to_numpy(dtype=bool, na_value=False)]
        return rows.sort_index()
