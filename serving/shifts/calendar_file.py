"""A roster as a calendar (RFC 5545), by the icalendar library: an event a shift.

An event's UID is made of agent and local date, so a new roster moves the events of the one before
and doubles none. Times bear the agent's zone with its VTIMEZONE; ``SEQUENCE`` grows with each
roster.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

HOST = "presage"


def calendar_file(shifts: pd.DataFrame, published_at: datetime, *, name: str = "Shifts") -> bytes:
    """The bytes of an .ics with an event for every row of a roster's ``shifts``.

    ``published_at`` (naive UTC) is the events' stamp: equal rosters are equal files.
    """
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", "-//Presage//Shifts//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    stamp = published_at.replace(tzinfo=UTC)
    for row in shifts.sort_values(["agent_id", "starts_at"]).itertuples():
        zone = ZoneInfo(str(row.time_zone))
        event = Event()
        event.add("uid", uid_of(str(row.agent_id), str(row.day)))
        event.add("dtstamp", stamp)
        event.add("last-modified", stamp)
        event.add("sequence", int(stamp.timestamp()) // 60)
        event.add("dtstart", _local(row.starts_at, zone))
        event.add("dtend", _local(row.ends_at, zone))
        channels = str(row.skills).replace("+", ", ")
        event.add("summary", f"{row.agent_id}: {channels}")
        description = f"Paid hours: {row.paid_hours:g}."
        if not pd.isna(row.break_starts_at):
            begin, end = (_local(one, zone) for one in (row.break_starts_at, row.break_ends_at))
            description = f"Break: {begin:%H:%M} to {end:%H:%M}. {description}"
        event.add("description", description)
        event.add("transp", "OPAQUE")
        calendar.add_component(event)
    if len(shifts):
        year = timedelta(days=400)
        first, last = shifts["starts_at"].min(), shifts["ends_at"].max()
        calendar.add_missing_timezones((first - year).date(), (last + year).date())
    return bytes(calendar.to_ical())


def uid_of(agent_id: str, day: str) -> str:
    """The UID of an agent's shift on a local date."""
    return f"{hashlib.sha256(f'{agent_id} {day}'.encode()).hexdigest()[:32]}@{HOST}"


def _local(time: pd.Timestamp, zone: ZoneInfo) -> datetime:
    return pd.Timestamp(time).to_pydatetime().replace(tzinfo=UTC).astimezone(zone)
